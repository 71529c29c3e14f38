/// A compiled time-zone file (TZif, RFC 8536 and RFC 9636: versions 1 to 4), read from its bytes.
///
/// Accepts the files that zic writes, fat and slim, and uses the 64-bit data where available. Refuses truncated files, tables out
/// of order, indices beyond their tables, offsets of more than 26 hours, and files that count leap seconds (those under
/// `right/`), whose times are not POSIX times. Never guesses.
struct TimeZoneFile {
    var ranges: [Zone.Range]
    var abbreviations: [String]

    /// Far larger than any real file (the largest has 4 KiB).
    static let longestFile = 1 << 18

    private struct Header {
        var version: UInt8
        var utIndicators, standardIndicators, leapSeconds, transitions, types, abbreviationBytes: Int

        /// The length of the following data block, with times of 4 or 8 bytes.
        func length(timeBytes: Int) -> Int {
            transitions * (timeBytes + 1) + types * 6 + abbreviationBytes + leapSeconds * (timeBytes + 4)
                + standardIndicators + utIndicators
        }
    }

    /// The fault of a file, as the end of a sentence.
    struct Malformed: Error {
        var reason: String
    }

    init(_ bytes: [UInt8]) throws(Malformed) {
        guard bytes.count <= Self.longestFile else { throw Malformed(reason: "is too long to be a time-zone file") }
        var position = 0
        var header = try Self.header(bytes, at: &position)
        var timeBytes = 4
        if header.version >= UInt8(ascii: "2") {
            position += header.length(timeBytes: 4)
            header = try Self.header(bytes, at: &position)
            timeBytes = 8
        }
        guard header.length(timeBytes: timeBytes) <= bytes.count - position else { throw Malformed(reason: "is truncated") }
        guard header.leapSeconds == 0 else { throw Malformed(reason: "counts leap seconds, and POSIX time does not") }
        guard header.types > 0 else { throw Malformed(reason: "has no local time types") }

        let timesStart = position
        let indicesStart = timesStart + header.transitions * timeBytes
        let typesStart = indicesStart + header.transitions
        let abbreviationsStart = typesStart + header.types * 6
        let dataEnd = position + header.length(timeBytes: timeBytes)

        abbreviations = []
        var types: [Zone.Range] = []
        for number in 0..<header.types {
            let at = typesStart + number * 6
            let offset = Int32(truncatingIfNeeded: Self.integer(bytes, at: at, count: 4))
            let abbreviationAt = Int(bytes[at + 5])
            guard offset.magnitude <= Zone.largestOffset.magnitude, abbreviationAt < header.abbreviationBytes else {
                throw Malformed(reason: "has an impossible local time type")
            }
            let name = bytes[(abbreviationsStart + abbreviationAt)..<(abbreviationsStart + header.abbreviationBytes)]
                .prefix { $0 != 0 }
            let abbreviation = Self.index(of: String(decoding: name, as: UTF8.self), in: &abbreviations)
            types.append(
                Zone.Range(start: 0, end: 0, offset: offset, isDaylight: bytes[at + 4] != 0, abbreviation: abbreviation))
        }

        // Type 0 applies before the first transition (RFC 8536 §3.2). Transitions before 1970 only decide the offset at the
        // beginning of 1970.
        var builder = RangeBuilder(first: types[0])
        for number in 0..<header.transitions {
            let time = Self.integer(bytes, at: timesStart + number * timeBytes, count: timeBytes)
            let type = Int(bytes[indicesStart + number])
            guard type < types.count else { throw Malformed(reason: "has a transition to an unknown local time type") }
            guard number == 0 || time > builder.last else { throw Malformed(reason: "has transitions out of order") }
            builder.change(at: time, to: types[type])
        }

        if timeBytes == 8, let footer = try Self.footer(bytes, at: dataEnd) {
            builder.follow(footer, abbreviations: &abbreviations)
        }
        ranges = builder.finish()
    }

    /// The ranges of a rule without a file, as in `TZ=CET-1CEST,M3.5.0,M10.5.0/3`.
    init(rule: PosixRule) {
        abbreviations = []
        let standard = Self.index(of: rule.standard.abbreviation, in: &abbreviations)
        var builder = RangeBuilder(
            first: Zone.Range(
                start: 0, end: 0, offset: rule.standard.offset, isDaylight: false, abbreviation: standard))
        builder.follow(rule, abbreviations: &abbreviations)
        ranges = builder.finish()
    }

    // MARK: Parts

    private static func header(_ bytes: [UInt8], at position: inout Int) throws(Malformed) -> Header {
        guard position <= bytes.count, bytes.count - position >= 44 else { throw Malformed(reason: "is truncated") }
        guard bytes[position..<(position + 4)].elementsEqual("TZif".utf8) else {
            throw Malformed(reason: "is not a time-zone file")
        }
        let version = bytes[position + 4]
        func count(_ number: Int) -> Int { integer32(bytes, at: position + 20 + number * 4) }
        let header = Header(
            version: version, utIndicators: count(0), standardIndicators: count(1), leapSeconds: count(2),
            transitions: count(3), types: count(4), abbreviationBytes: count(5))
        position += 44
        // Six 32-bit counts cannot overflow the 64-bit sum in `length`.
        guard header.length(timeBytes: 4) <= bytes.count - position else { throw Malformed(reason: "is truncated") }
        return header
    }

    private static func footer(_ bytes: [UInt8], at start: Int) throws(Malformed) -> PosixRule? {
        guard start < bytes.count, bytes[start] == 10 else { throw Malformed(reason: "is truncated before its footer") }
        let text = bytes[(start + 1)...].prefix { $0 != 10 }
        guard start + 1 + text.count < bytes.count else { throw Malformed(reason: "is truncated in its footer") }
        if text.isEmpty { return nil }
        guard let rule = PosixRule(text) else {
            throw Malformed(reason: "has a footer that is not a rule: \(String(decoding: text, as: UTF8.self))")
        }
        return rule
    }

    private static func integer(_ bytes: [UInt8], at start: Int, count: Int) -> Int64 {
        var value: Int64 = bytes[start] >= 0x80 ? -1 : 0
        for byte in bytes[start..<(start + count)] { value = value << 8 | Int64(byte) }
        return value
    }

    private static func integer32(_ bytes: [UInt8], at start: Int) -> Int {
        bytes[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) }
    }

    fileprivate static func index(of abbreviation: String, in abbreviations: inout [String]) -> UInt16 {
        if let known = abbreviations.firstIndex(of: abbreviation) { return UInt16(known) }
        abbreviations.append(abbreviation)
        return UInt16(abbreviations.count - 1)
    }
}

/// Appends ranges in order. Of the time before 1970, keeps only what applied at its end.
private struct RangeBuilder {
    private var ranges: [Zone.Range]
    /// The last change that was passed in, whether kept or not.
    private(set) var last = Int64.min

    init(first: Zone.Range) {
        var first = first
        first.start = Zone.beforeAll
        ranges = [first]
    }

    /// Call this in order of time. Changes without an effect are dropped.
    mutating func change(at time: Int64, to type: Zone.Range) {
        last = time
        guard time < Civil.endSeconds + Int64(Zone.largestOffset) else { return }
        let current = ranges[ranges.count - 1]
        if current.offset == type.offset, current.isDaylight == type.isDaylight, current.abbreviation == type.abbreviation {
            return
        }
        var next = type
        // A change at the same moment replaces the earlier one: permanent daylight saving is written as daylight saving that ends
        // when it starts (RFC 8536 §3.3.1).
        if time <= 0 || current.start == time {
            next.start = current.start
            ranges[ranges.count - 1] = next
            return
        }
        next.start = time
        ranges.append(next)
    }

    /// Expands a rule to the end of 2200, beginning where the table of transitions ends.
    mutating func follow(_ rule: PosixRule, abbreviations: inout [String]) {
        let standard = Zone.Range(
            start: 0, end: 0, offset: rule.standard.offset, isDaylight: false,
            abbreviation: TimeZoneFile.index(of: rule.standard.abbreviation, in: &abbreviations))
        guard let daylight = rule.daylight else {
            change(at: max(last, -1), to: standard)
            return
        }
        let summer = Zone.Range(
            start: 0, end: 0, offset: daylight.clock.offset, isDaylight: true,
            abbreviation: TimeZoneFile.index(of: daylight.clock.abbreviation, in: &abbreviations))
        var changes: [(time: Int64, isStart: Bool)] = []
        for year in (Civil.firstYear - 1)...(Civil.endYear + 1) {
            guard let (start, end) = rule.changes(in: year) else { continue }
            changes.append((start, true))
            changes.append((end, false))
        }
        changes.sort { $0.time != $1.time ? $0.time < $1.time : !$0.isStart && $1.isStart }
        let tableEnd = last
        for (time, isStart) in changes where time > tableEnd { change(at: time, to: isStart ? summer : standard) }
    }

    consuming func finish() -> [Zone.Range] {
        for number in ranges.indices.dropLast() { ranges[number].end = ranges[number + 1].start }
        ranges[ranges.count - 1].end = Zone.afterAll
        return ranges
    }
}
