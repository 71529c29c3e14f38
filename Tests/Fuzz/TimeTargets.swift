// Texts about time. An expression is refused with a position in it. Otherwise its due times are ascending and in the allowed years, and its
// normalized text has the same meaning.

@testable import Recurrence

@Sendable func fuzzCron(_ bytes: [UInt8]) {
    each(bytes) { text, zone, daylight throws(RecurrenceError) in
        try Recurrence.cron(text, zone: zone, zones: .none, stableSeed: 7, daylight: daylight)
    }
}

@Sendable func fuzzCalendar(_ bytes: [UInt8]) {
    each(bytes) { text, zone, daylight throws(RecurrenceError) in
        try Recurrence.calendar(text, zone: zone, zones: .none, daylight: daylight)
    }
}

@Sendable func fuzzPattern(_ bytes: [UInt8]) {
    each(bytes) { text, zone, daylight throws(RecurrenceError) in
        // An interval of months has no such text; `@every 2 months` is used for it.
        if text.hasPrefix("@every ") { return .every(try Span.parse(String(text.dropFirst(7))), fromStart: false) }
        return try Recurrence.pattern(text, zone: zone, daylight: daylight)
    }
    // The same bytes are read as the answer of a pattern's program.
    _ = try? PatternExtension.answer(bytes, zone: .central, after: .now)
}

/// A rule. The lines below it are its start and its exclusions, if they can be read.
@Sendable func fuzzRRule(_ bytes: [UInt8]) {
    let lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
    each(Array(lines[0])) { text, zone, daylight throws(RecurrenceError) in
        let times = lines.dropFirst().prefix(4).compactMap {
            try? RRuleTime.parse(String(decoding: $0, as: UTF8.self), zone: zone, now: .now)
        }
        return try Recurrence.rrule(text, start: times.first, excluding: Array(times.dropFirst()), zone: zone, daylight: daylight)
    }
}

/// The events of an iCalendar file. One schedule leaves them out, and another is due only in them. Neither has a due time that its
/// filter excludes.
@Sendable func fuzzCalendarFile(_ bytes: [UInt8]) {
    guard let events = try? CalendarFile.events(bytes, zone: .central, zones: .none),
        let times = try? NamedTimes(name: "c", zone: nil, dates: [], windows: [], events: Array(events.prefix(20)))
    else { return }
    for (except, only) in [([times], []), ([], [times])] {
        for when in TimeFilter.WhenExcluded.allCases {
            let filter = TimeFilter(except: except, only: only, whenExcluded: when, zone: .central)
            let rule = Recurrence.every(Span(milliseconds: 3_600_000), fromStart: true).filtered(by: filter)
            var after = Instant.now
            for _ in 0..<5 {
                guard let due = rule.next(after: after, origin: .now) else { break }
                expect(due > after && rule.exclusion(of: due) == nil, "\(due) is due")
                after = due
            }
        }
    }
}

/// An instant or a duration in any spelling.
@Sendable func fuzzTime(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    do throws(RecurrenceError) {
        let span = try Span.parse(text)
        let again = try Span.parse(span.description)
        expect(span == again, "\(text): \(span) reads as \(again)")
        expect(Instant.now + span >= .now && Instant.now - span <= .now, "\(text) is no negative length")
        check(.every(span, fromStart: true), text)
        check(.every(span, fromStart: false), text)
    } catch { expectInside(error, text) }
    for zone in [Zone.utc, .central, .odd] {
        do throws(RecurrenceError) {
            let instant = try Instant.parse(text, zone: zone, now: .now)
            for written in [instant.rfc3339, instant.rfc3339(in: zone)] {
                let again = try Instant.parse(written, zone: zone, now: .now)
                expect(again == instant, "\(text): \(written) reads as \(again)")
            }
            var fixed: [UInt8] = []
            instant.appendRFC3339(to: &fixed)
            expect(Instant(fixed: fixed) == instant, "\(text): the journal's form reads back")
            var compact: [UInt8] = []
            instant.appendCompact(to: &compact)
            expect(Instant(compact: compact) == instant, "\(text): the form in an id reads back")
            check(.at(instant), text)
        } catch { expectInside(error, text) }
        _ = try? RRuleTime.parse(text, zone: zone, now: .now)
        for sense in [InstantSense.action, .past] {
            do throws(RecurrenceError) {
                let instant = try Instant.parse(text, zone: zone, now: .now, as: sense)
                expect(try Instant.parse(instant.rfc3339, zone: zone, now: .now, as: sense) == instant, "\(text) as \(sense)")
            } catch { expectInside(error, text) }
        }
    }
    for bytes in [bytes, Array(bytes.prefix(24))] {
        if let instant = Instant(fixed: bytes) {
            var again: [UInt8] = []
            instant.appendRFC3339(to: &again)
            expect(again == bytes, "\(text) is written as \(String(decoding: again, as: UTF8.self))")
        }
        _ = Instant(compact: bytes)
    }
}

/// The file of a zone. For bytes that do not begin like such a file, the rule in the last line.
@Sendable func fuzzTimeZone(_ bytes: [UInt8]) {
    let file: TimeZoneFile
    if bytes.starts(with: "TZif".utf8) {
        guard let read = try? TimeZoneFile(bytes) else { return }
        file = read
    } else {
        guard let rule = PosixRule(bytes) else { return }
        file = TimeZoneFile(rule: rule)
    }
    for (range, next) in zip(file.ranges, file.ranges.dropFirst()) {
        expect(range.end == next.start && range.start < range.end, "the ranges follow one another: \(range), \(next)")
    }
    let zone = Zone(name: "X", ranges: file.ranges, abbreviations: file.abbreviations)
    for range in file.ranges.prefix(8) + file.ranges.suffix(8) {
        for seconds in [range.start - 1, range.start, range.end - 1] {
            let instant = Instant(seconds: seconds)
            let offset = zone.offset(at: instant)
            let wall = Instant(seconds: seconds + Int64(offset.seconds))
            switch zone.resolve(wall: wall) {
            // Times before 1970 have the offset of the beginning of 1970.
            case .unique(let found): expect(found == instant || seconds <= 0, "\(instant) shows \(wall), which is \(found)")
            case .repeated(let first, let second): expect(first < second, "\(wall) is \(first), then \(second)")
            case .gap: expect(seconds <= 0, "\(instant) shows \(wall), which is in a gap")
            }
            _ = instant.rfc3339(in: zone)
        }
    }
    for text in ["30 2 * * *", "*/20 * * * *"] {
        for daylight in DaylightRule.some {
            guard let recurrence = try? Recurrence.cron(text, zone: zone, zones: .none, stableSeed: 0, daylight: daylight) else { continue }
            check(recurrence, text, from: file.ranges.prefix(4).map { Instant(seconds: $0.end - 7200) })
        }
    }
}

// MARK: Rules

private func each(_ bytes: [UInt8], _ read: (String, Zone, DaylightRule) throws(RecurrenceError) -> Recurrence) {
    let text = String(decoding: bytes, as: UTF8.self)
    for zone in [Zone.utc, .central, .odd] {
        for daylight in DaylightRule.some {
            let recurrence: Recurrence
            do throws(RecurrenceError) { recurrence = try read(text, zone, daylight) } catch {
                expectInside(error, text)
                return
            }
            check(recurrence, text)
            _ = recurrence.explanation(at: .now, of: text)
            let normalized = recurrence.normalized
            do throws(RecurrenceError) {
                // The text does not contain the zone.
                let again = try read(normalized, recurrence.zone ?? zone, daylight)
                expect(again.normalized == normalized, "\(text): \(normalized) becomes \(again.normalized)")
                for start in Instant.starts {
                    let (first, second) = (recurrence.next(after: start, origin: .now), again.next(after: start, origin: .now))
                    let (one, other) = (String(describing: first), String(describing: second))
                    expect(first == second, "\(text) is due at \(one), \(normalized) at \(other)")
                }
            } catch {
                expect(false, "\(text): its normalized text \(normalized) is refused: \(error)")
            }
        }
    }
}

private func check(_ recurrence: Recurrence, _ text: String, from more: [Instant] = []) {
    for start in Instant.starts + more {
        var at = start
        for _ in 0..<5 {
            let next = recurrence.next(after: at, origin: .now)
            let occurrence = recurrence.nextOccurrence(after: at, origin: .now)
            expect(occurrence?.instant == next, "\(text): after \(at) \(String(describing: next)), or \(String(describing: occurrence))")
            guard let next else { break }
            expect(next > at, "\(text): \(next) is later than \(at)")
            expect(next.milliseconds >= 0 && next.milliseconds < Civil.endSeconds * 1000, "\(text): \(next) is between 1970 and 2200")
            let again = recurrence.next(after: Instant(milliseconds: next.milliseconds - 1), origin: .now)
            expect(again == next, "\(text): just before \(next) the next is \(String(describing: again))")
            at = next
        }
    }
}

private func expectInside(_ error: RecurrenceError, _ text: String) {
    guard let offset = error.offset else { return }
    expect((0...text.unicodeScalars.count).contains(offset), "\(text): \(error) at \(offset)")
}

extension Instant {
    static let now = Instant(seconds: 1_795_226_400)
    /// The ends of the range of numbers and of the calendar, and the hours before clock changes.
    fileprivate static let starts = [
        Instant(milliseconds: .min), Instant(milliseconds: 0), Instant(seconds: 1_774_742_400), .now, Instant(seconds: 1_792_886_400),
        Instant(seconds: Civil.endSeconds - 86_400), Instant(milliseconds: .max),
    ]
}

extension DaylightRule {
    fileprivate static let some = [DaylightRule.standard, DaylightRule(gap: .skip, repeated: .both)]
}

extension Zone {
    fileprivate static let central = Zone(name: "Central", rule: "CET-1CEST,M3.5.0,M10.5.0/3")
    /// A zone of the southern half of the world with half an hour of daylight saving.
    fileprivate static let odd = Zone(name: "Odd", rule: "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0")

    private convenience init(name: String, rule: String) {
        let file = TimeZoneFile(rule: PosixRule(rule.utf8)!)
        self.init(name: name, ranges: file.ranges, abbreviations: file.abbreviations)
    }
}

extension ZoneDatabase {
    /// A database without files, so that nothing is read from the machine's.
    static let none = ZoneDatabase(directories: [])
}
