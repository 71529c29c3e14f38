extension Instant {
    /// The instant this many milliseconds later, or earlier for a negative number. Limited to the range of instants instead of
    /// overflowing.
    public func advanced(byMilliseconds milliseconds: Int64) -> Instant {
        let (sum, overflow) = self.milliseconds.addingReportingOverflow(milliseconds)
        return Instant(milliseconds: overflow ? (milliseconds > 0 ? .max : .min) : sum)
    }

    /// Reads the form that `appendCompact` writes, `20261121T020000.000Z`. Returns nil for anything else.
    public init?(compact text: some Collection<UInt8>) {
        self.init(digits: text, shape: "YYYYMMDDThhmmss.nnnZ")
    }

    /// Reads the form that `appendRFC3339` writes, `2026-11-21T02:00:00.000Z`, and no other.
    public init?(fixed text: some Collection<UInt8>) {
        self.init(digits: text, shape: "YYYY-MM-DDThh:mm:ss.nnnZ")
    }

    private init?(digits text: some Collection<UInt8>, shape: StaticString) {
        let fast = text.withContiguousStorageIfAvailable { Instant(digits: $0, shape: shape) }
        guard let read = fast ?? Array(text).withUnsafeBufferPointer({ Instant(digits: $0, shape: shape) }) else { return nil }
        self = read
    }

    /// Not generic, because each line of a journal has several instants.
    private init?(digits text: UnsafeBufferPointer<UInt8>, shape: StaticString) {
        guard text.count == shape.utf8CodeUnitCount else { return nil }
        var (year, month, day, hour, minute, second, fraction) = (0, 0, 0, 0, 0, 0, 0)
        var place = shape.utf8Start
        for byte in text {
            let digit = Int(byte) - 48
            let mark = place.pointee
            place += 1
            switch mark {
            case UInt8(ascii: "Y"): year = year * 10 + digit
            case UInt8(ascii: "M"): month = month * 10 + digit
            case UInt8(ascii: "D"): day = day * 10 + digit
            case UInt8(ascii: "h"): hour = hour * 10 + digit
            case UInt8(ascii: "m"): minute = minute * 10 + digit
            case UInt8(ascii: "s"): second = second * 10 + digit
            case UInt8(ascii: "n"): fraction = fraction * 10 + digit
            default:
                guard byte == mark else { return nil }
                continue
            }
            guard (0...9).contains(digit) else { return nil }
        }
        guard (1...12).contains(month), (1...Civil.daysInMonth(year: year, month: month)).contains(day), hour < 24,
            minute < 60, second < 60
        else { return nil }
        let days = Civil.days(year: year, month: month, day: day)
        let seconds = Int64(hour * 3600 + minute * 60 + second)
        self.init(milliseconds: days * Civil.millisecondsPerDay + seconds * 1000 + Int64(fraction))
    }
}
