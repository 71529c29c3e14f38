import Synchronization

/// The times of a calendar as sorted stretches of the time line, without overlaps.
///
/// Whole days and times of the day are kept apart, because a due time that moves treats them differently. The stretches are computed
/// for one chunk of time at once, when it is first asked for, and kept: a question then costs one binary search for each chunk that it
/// touches. The first question in a chunk costs one step for each event and each occurrence there.
final class Covers: Sendable {
    enum Kind: Int, CaseIterable, Sendable {
        /// Dates, all-day events, windows without times of day.
        case days
        case times
    }

    private let days: [Int64]
    private let windows: [WeeklyWindow]
    private let events: [CalendarEvent]
    /// The kinds of stretches that there can be.
    let kinds: [Kind]
    private let tables = Mutex(Tables())

    /// The tables of the zones in which the times are used.
    private struct Tables {
        var all: [Table] = []
        /// The chunk of the last question. The next question is mostly about the same chunk.
        var latest: (zone: Zone, index: Int64, chunk: Chunk)?
    }

    /// The chunks in one zone. A zone that was read again is another one.
    private struct Table {
        let zone: Zone
        private(set) var chunks: [Int64: Chunk] = [:]
        /// The indices of the chunks in the order in which they were computed.
        private var order: [Int64] = []
        private(set) var stretchCount = 0

        init(zone: Zone) { self.zone = zone }

        /// Keeps a chunk, and forgets the oldest ones when there are too many stretches. Those are computed again when they are needed.
        mutating func keep(_ chunk: Chunk, _ index: Int64) {
            while stretchCount + chunk.count > Covers.stretchesMax, let oldest = order.first {
                order.removeFirst()
                stretchCount -= chunks.removeValue(forKey: oldest)?.count ?? 0
            }
            chunks[index] = chunk
            order.append(index)
            stretchCount += chunk.count
        }
    }

    private final class Chunk {
        /// A stretch that crosses the border of the chunk is cut there.
        private let days: InstantRanges
        private let times: InstantRanges
        /// The first beginning at or after the end of the chunk. Not computed yet when it is nil.
        var following: Beginning??

        init(days: InstantRanges, times: InstantRanges) { (self.days, self.times) = (days, times) }

        func stretches(_ kind: Kind) -> InstantRanges { kind == .days ? days : times }

        var count: Int { days.ranges.count + times.ranges.count }
    }

    /// The beginning of a stretch.
    struct Beginning: Sendable {
        var at: Instant
        var kind: Kind
    }

    init(days: [Int64], windows: [WeeklyWindow], events: [CalendarEvent]) {
        self.days = days.sorted()
        self.windows = windows
        self.events = events
        kinds = Kind.allCases.filter { kind in
            let isDays = kind == .days
            return isDays && !days.isEmpty || windows.contains { $0.isWholeDay == isDays } || events.contains { $0.isAllDay == isDays }
        }
    }

    func `in`(_ zone: Zone) -> InZone { InZone(covers: self, zone: zone) }

    // MARK: Chunks

    /// About 199 days.
    private static let chunkBits: Int64 = 34
    static let chunkDays: Int64 = 199
    /// A calendar is used in few zones. When it is used in more, or when zones change, the oldest table is computed again.
    private static let zonesMax = 4
    /// The number of stretches that one zone's chunks have at most, beside those of one chunk: 3 MiB.
    static let stretchesMax = 200_000
    static let end = Instant(seconds: Civil.endSeconds)

    private static func index(_ instant: Instant) -> Int64 { instant.milliseconds >> chunkBits }

    private static func range(_ index: Int64) -> Range<Instant> {
        Instant(milliseconds: index << chunkBits)..<Instant(milliseconds: (index + 1) << chunkBits)
    }

    private func read<T: Sendable>(_ index: Int64, _ zone: Zone, _ use: (Chunk) -> sending T) -> T {
        tables.withLock { tables in
            if let latest = tables.latest, latest.index == index, latest.zone === zone { return use(latest.chunk) }
            var place = tables.all.firstIndex { $0.zone === zone }
            if place == nil {
                if tables.all.count == Self.zonesMax { tables.all.removeFirst() }
                tables.all.append(Table(zone: zone))
                place = tables.all.count - 1
            }
            let chunk: Chunk
            if let kept = tables.all[place!].chunks[index] {
                chunk = kept
            } else {
                chunk = self.chunk(Self.range(index), zone)
                tables.all[place!].keep(chunk, index)
            }
            tables.latest = (zone, index, chunk)
            return use(chunk)
        }
    }

    /// The number of stretches that are kept now.
    var keptCount: Int { tables.withLock { $0.all.reduce(0) { $0 + $1.stretchCount } } }

    private func chunk(_ range: Range<Instant>, _ zone: Zone) -> Chunk {
        var found: [[Range<Instant>]] = Kind.allCases.map { _ in [] }
        func add(_ stretch: Range<Instant>, _ kind: Kind) {
            let cut = stretch.clamped(to: range)
            if !cut.isEmpty { found[kind.rawValue].append(cut) }
        }
        func add(wall walls: Range<Instant>, _ kind: Kind) {
            for stretch in zone.stretches(wall: walls) { add(stretch, kind) }
        }
        let walls = Wall(range.lowerBound, zone).milliseconds..<Wall(range.upperBound, zone).milliseconds
        // A window may have begun on the day before, and the clock may be set back over midnight.
        let dayRange = Civil.floorDivide(walls.lowerBound, Civil.millisecondsPerDay) - 2
            ... Civil.floorDivide(walls.upperBound, Civil.millisecondsPerDay) + 1
        for day in days[index(ofDay: dayRange.lowerBound)...].prefix(while: { $0 <= dayRange.upperBound }) {
            add(wall: Self.walls(day, 0, Civil.millisecondsPerDay), .days)
        }
        if !windows.isEmpty {
            for day in dayRange {
                for window in windows where window.weekday == Civil.weekday(days: day) {
                    add(wall: Self.walls(day, window.startMilliseconds, window.endMilliseconds), window.isWholeDay ? .days : .times)
                }
            }
        }
        let wallRange = Instant(milliseconds: dayRange.lowerBound * Civil.millisecondsPerDay)
            ..< Instant(milliseconds: (dayRange.upperBound + 1) * Civil.millisecondsPerDay)
        for event in events {
            event.each(in: event.isAllDay ? wallRange : range) { stretch in
                if event.isAllDay {
                    add(wall: stretch, .days)
                } else {
                    add(stretch, .times)
                }
            }
        }
        return Chunk(days: InstantRanges(found[Kind.days.rawValue]), times: InstantRanges(found[Kind.times.rawValue]))
    }

    /// The wall times between two times of a day, which count from its midnight.
    private static func walls(_ day: Int64, _ start: Int64, _ end: Int64) -> Range<Instant> {
        let midnight = day * Civil.millisecondsPerDay
        return Instant(milliseconds: midnight + start)..<Instant(milliseconds: midnight + end)
    }

    private func index(ofDay day: Int64) -> Int { days.partitioningIndex { $0 >= day } }

    /// The first beginning at or after an instant, found without chunks.
    private func firstBeginning(from instant: Instant, _ zone: Zone) -> Beginning? {
        var first: Beginning?
        func consider(_ start: Instant?, _ kind: Kind) {
            guard let start, start >= instant, first.map({ start < $0.at || start == $0.at && kind == .days }) ?? true else { return }
            first = Beginning(at: start, kind: kind)
        }
        let wall = Wall(instant, zone)
        func consider(wall walls: Range<Instant>, _ kind: Kind) {
            for stretch in zone.stretches(wall: walls) { consider(stretch.lowerBound, kind) }
        }
        for day in days[index(ofDay: wall.day)...].prefix(2) { consider(wall: Self.walls(day, 0, Civil.millisecondsPerDay), .days) }
        for window in windows {
            for day in wall.day - 1...wall.day + 8 where Civil.weekday(days: day) == window.weekday {
                consider(
                    wall: Self.walls(day, window.startMilliseconds, window.endMilliseconds), window.isWholeDay ? .days : .times)
            }
        }
        for event in events {
            guard event.isAllDay else {
                consider(event.first(from: instant)?.lowerBound, .times)
                continue
            }
            if let walls = event.first(from: Instant(milliseconds: wall.milliseconds)) { consider(wall: walls, .days) }
        }
        return first
    }

    /// True when the times contain a wall time of their zone that the clock skips. `instant` is the end of the gap. The answer is computed
    /// without chunks, which contain no time in a gap.
    private func contains(skipped wall: Int64, before instant: Instant) -> Bool {
        let day = Civil.floorDivide(wall, Civil.millisecondsPerDay)
        let place = index(ofDay: day)
        if place < days.count, days[place] == day { return true }
        let isInWindow = windows.contains { window in
            // A window may have begun on the day before.
            [day - 1, day].contains { begin in
                let time = wall - begin * Civil.millisecondsPerDay
                return window.weekday == Civil.weekday(days: begin) && window.startMilliseconds <= time && time < window.endMilliseconds
            }
        }
        return isInWindow || events.contains { event in
            let start = event.isAllDay ? Instant(milliseconds: wall) : instant
            var isContained = false
            event.each(in: start..<start.advanced(byMilliseconds: 1)) { _ in isContained = true }
            return isContained
        }
    }

    // MARK: Questions

    /// The stretches as a zone has them.
    struct InZone: Sendable {
        fileprivate let covers: Covers
        fileprivate let zone: Zone

        /// The kinds of stretches that there can be.
        var kinds: [Kind] { covers.kinds }

        func contains(_ instant: Instant, _ kind: Kind) -> Bool {
            covers.kinds.contains(kind) && covers.read(Covers.index(instant), zone) { $0.stretches(kind).contains(instant) }
        }

        func contains(_ instant: Instant) -> Bool { Kind.allCases.contains { contains(instant, $0) } }

        /// True when the times contain a due time. `wall` is the wall time in the zone `other` that the schedule gives, when a gap has
        /// moved the due time. It decides when both zones are the same.
        func contains(_ due: Instant, wall: Int64?, in other: Zone) -> Bool {
            guard let wall, zone === other || zone.name == other.name else { return contains(due) }
            return covers.contains(skipped: wall, before: due)
        }

        /// The end of the stretch that contains an instant. Nil when none does.
        func end(_ kind: Kind, containing instant: Instant) -> Instant? {
            var index = Covers.index(instant)
            var instant = instant
            var found: Instant?
            while instant < Covers.end {
                let at = instant
                let end = covers.read(index, zone) { $0.stretches(kind).range(containing: at)?.upperBound }
                guard let end else { break }
                found = end
                index += 1
                guard end == Covers.range(index).lowerBound else { break }
                instant = end
            }
            return found
        }

        /// The beginning of the stretch that contains an instant, but not before `earliest`. Nil when none contains it.
        func start(_ kind: Kind, containing instant: Instant, notBefore earliest: Instant) -> Instant? {
            var index = Covers.index(instant)
            var instant = instant
            var found: Instant?
            while true {
                let at = instant
                let start = covers.read(index, zone) { $0.stretches(kind).range(containing: at)?.lowerBound }
                guard let start else { break }
                found = start
                guard start == Covers.range(index).lowerBound, start > earliest else { break }
                index -= 1
                instant = start.advanced(byMilliseconds: -1)
            }
            return found.map { max($0, earliest) }
        }

        /// The first beginning of a stretch after an instant. Nil when there is none.
        func beginning(after instant: Instant) -> Beginning? {
            let index = Covers.index(instant)
            return covers.read(index, zone) { chunk in
                var first: Beginning?
                for kind in Kind.allCases {
                    guard let start = chunk.stretches(kind).range(beginningAfter: instant)?.lowerBound, first.map({ start < $0.at }) ?? true
                    else { continue }
                    first = Beginning(at: start, kind: kind)
                }
                if let first { return first }
                if let following = chunk.following { return following }
                let following = covers.firstBeginning(from: Covers.range(index).upperBound, zone)
                chunk.following = .some(following)
                return following
            }
        }

        /// The last end of a stretch at or before an instant that no stretch contains, or `earliest` when it would be before that.
        func lastEnd(before instant: Instant, notBefore earliest: Instant) -> Instant {
            var index = Covers.index(instant)
            while Covers.range(index).upperBound > earliest {
                let end = covers.read(index, zone) { chunk in
                    Kind.allCases.compactMap { chunk.stretches($0).range(endingBy: instant)?.upperBound }.max()
                }
                if let end { return max(end, earliest) }
                index -= 1
            }
            return earliest
        }

        /// The first instant after `instant` at which a stretch may begin or end.
        func change(after instant: Instant) -> Instant {
            let index = Covers.index(instant)
            return covers.read(index, zone) { chunk in
                var first = Covers.range(index).upperBound
                for kind in Kind.allCases {
                    guard let stretch = chunk.stretches(kind).range(endingAfter: instant) else { continue }
                    first = min(first, stretch.lowerBound > instant ? stretch.lowerBound : stretch.upperBound)
                }
                return first
            }
        }
    }
}

/// An instant on the wall clock of a zone.
struct Wall {
    let zone: Zone
    /// Since 1970-01-01 00:00 of the wall clock.
    let milliseconds: Int64

    init(_ instant: Instant, _ zone: Zone) {
        self.zone = zone
        milliseconds = instant.milliseconds + Int64(zone.offsetSeconds(at: instant)) * 1000
    }

    var day: Int64 { Civil.floorDivide(milliseconds, Civil.millisecondsPerDay) }

    /// The first instant at which the clock shows a wall time, or the end of the gap that skips it.
    func instant(_ wall: Int64) -> Instant { zone.resolve(wall: Instant(milliseconds: wall)).first }
}
