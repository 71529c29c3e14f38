/// A point in time: milliseconds since 1970-01-01T00:00:00Z, as POSIX counts them (no leap seconds).
public struct Instant: Comparable, Hashable, Sendable, CustomStringConvertible {
    public var milliseconds: Int64

    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// From whole seconds. Values out of range become the nearest instant in range.
    public init(seconds: Int64) {
        self.milliseconds = Self.saturating(seconds.multipliedReportingOverflow(by: 1000), negative: seconds < 0)
    }

    public static func < (a: Instant, b: Instant) -> Bool {
        a.milliseconds < b.milliseconds
    }

    // MARK: Arithmetic

    /// Adds months first, as the UTC calendar counts them (a day that the month lacks becomes its last), then milliseconds.
    /// Results outside 64 bits become the nearest instant in range.
    public static func + (instant: Instant, span: Span) -> Instant {
        var result = instant.milliseconds
        if span.months != 0 { result = addingMonths(span.months, to: result) }
        return Instant(
            milliseconds: saturating(result.addingReportingOverflow(span.milliseconds), negative: span.milliseconds < 0))
    }

    public static func - (instant: Instant, span: Span) -> Instant {
        instant + Span(months: 0 &- span.months, milliseconds: span.milliseconds == .min ? .max : -span.milliseconds)
    }

    /// The time from `b` to `a` in milliseconds, without months. Negative when `a` is earlier.
    public static func - (a: Instant, b: Instant) -> Span {
        let difference = a.milliseconds.subtractingReportingOverflow(b.milliseconds)
        return Span(milliseconds: saturating(difference, negative: a.milliseconds < 0))
    }

    public static func += (instant: inout Instant, span: Span) { instant = instant + span }
    public static func -= (instant: inout Instant, span: Span) { instant = instant - span }

    private static func saturating(_ result: (partialValue: Int64, overflow: Bool), negative: Bool) -> Int64 {
        if !result.overflow { return result.partialValue }
        return negative ? .min : .max
    }

    private static func addingMonths(_ months: Int, to milliseconds: Int64) -> Int64 {
        let bounded = min(max(milliseconds, firstPrintable), lastPrintable)
        let monthsBounded = min(max(months, -Span.longestMonths), Span.longestMonths)
        let days = Civil.floorDivide(bounded, Civil.millisecondsPerDay)
        let date = Civil.date(days: days)
        let month0 = date.year * 12 + date.month - 1 + monthsBounded
        let year = Int(Civil.floorDivide(Int64(month0), 12))
        let month = month0 - year * 12 + 1
        let day = min(date.day, Civil.daysInMonth(year: year, month: month))
        let moved = Civil.days(year: year, month: month, day: day)
        return (moved - days) * Civil.millisecondsPerDay + bounded
    }

    // MARK: Text

    /// `2026-11-21T02:00:00.000Z`: UTC, always with milliseconds. Instants outside the years 0 to 9999 are written as the nearest
    /// one inside.
    public var rfc3339: String { text { appendRFC3339(to: &$0) } }

    /// `20261121T020000.000Z`, as in job ids. The text sorts by time.
    public var compact: String { text { appendCompact(to: &$0) } }

    public var description: String { rfc3339 }

    /// `2026-11-21T03:00:00.000+01:00`: the wall time of `zone`, with its offset.
    public func rfc3339(in zone: Zone) -> String {
        let offset = Int64(zone.offsetSeconds(at: self))
        return text { bytes in
            (self + Span(milliseconds: offset * 1000)).appendRFC3339(to: &bytes)
            bytes.removeLast()
            bytes.append(UInt8(ascii: offset < 0 ? "-" : "+"))
            let minutes = UInt32(abs(offset) / 60)
            Self.append2(minutes / 60, to: &bytes)
            bytes.append(UInt8(ascii: ":"))
            Self.append2(minutes % 60, to: &bytes)
        }
    }

    /// Appends the 24 bytes of `rfc3339`. Allocates only to grow the array.
    public func appendRFC3339(to bytes: inout [UInt8]) {
        append(dateSeparator: UInt8(ascii: "-"), timeSeparator: UInt8(ascii: ":"), to: &bytes)
    }

    /// Appends the 20 bytes of `compact`. Allocates only to grow the array.
    public func appendCompact(to bytes: inout [UInt8]) {
        append(dateSeparator: nil, timeSeparator: nil, to: &bytes)
    }

    /// 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z.
    static let firstPrintable: Int64 = -62_167_219_200_000
    static let lastPrintable: Int64 = 253_402_300_799_999

    private func append(dateSeparator: UInt8?, timeSeparator: UInt8?, to bytes: inout [UInt8]) {
        let bounded = min(max(milliseconds, Self.firstPrintable), Self.lastPrintable)
        let days = Civil.floorDivide(bounded, Civil.millisecondsPerDay)
        let date = Civil.date(days: days)
        let rest = UInt32(truncatingIfNeeded: bounded - days * Civil.millisecondsPerDay)
        let seconds = rest / 1000
        let year = UInt32(truncatingIfNeeded: date.year)
        Self.append2(year / 100, to: &bytes)
        Self.append2(year % 100, to: &bytes)
        if let dateSeparator { bytes.append(dateSeparator) }
        Self.append2(UInt32(truncatingIfNeeded: date.month), to: &bytes)
        if let dateSeparator { bytes.append(dateSeparator) }
        Self.append2(UInt32(truncatingIfNeeded: date.day), to: &bytes)
        bytes.append(UInt8(ascii: "T"))
        Self.append2(seconds / 3600, to: &bytes)
        if let timeSeparator { bytes.append(timeSeparator) }
        Self.append2(seconds / 60 % 60, to: &bytes)
        if let timeSeparator { bytes.append(timeSeparator) }
        Self.append2(seconds % 60, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        let thousandths = rest % 1000
        bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: thousandths / 100))
        Self.append2(thousandths % 100, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    @inline(__always)
    private static func append2(_ value: UInt32, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value / 10))
        bytes.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value % 10))
    }

    private func text(_ write: (inout [UInt8]) -> Void) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        write(&bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
