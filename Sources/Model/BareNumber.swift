/// Durations of which people mean days or minutes when they write a number without a unit, where a number means seconds.
///
/// Unix tools mean seconds by the number of a timeout (`timeout 30`, `sleep 5`), so those keys and options are not among these.
public enum BareNumber {
    /// The unit that people most likely mean, by the key of a file or the option of a command.
    private static let likelyUnits: [String: (letter: String, word: String)] = [
        "keep": days, "expect": days, "older-than": days, "since": days, "until": days, "from": days, "to": days, "every": ("m", "minutes"),
    ]
    private static let days = ("d", "days")

    /// The two likely spellings of a number without a unit, `30d` and `30s`; nil: the text is no such number, it is zero, which needs no
    /// unit, or the key's or option's number means seconds to everybody.
    public static func spellings(of text: String, for name: String) -> String? {
        guard let unit = likelyUnits[name], let number = number(text) else { return nil }
        return "write \(number)\(unit.letter) for \(unit.word), or \(number)s for seconds"
    }

    /// A number alone, without blanks and sign, that is not zero.
    private static func number(_ text: String) -> String? {
        var digits = text.utf8.drop { $0 == 0x20 || $0 == 0x09 }
        if digits.first == UInt8(ascii: "+") { digits = digits.dropFirst() }
        while digits.last == 0x20 || digits.last == 0x09 { digits = digits.dropLast() }
        guard let first = digits.first, (0x30...0x39).contains(first), let value = Double(String(Substring(digits))), value > 0,
            digits.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") })
        else { return nil }
        return String(Substring(digits))
    }
}

extension Table {
    /// The durations in a task's, job's, schedule's or the configuration's table that are numbers without a unit where people mean another
    /// one than seconds. They count as seconds; whoever wrote them is warned.
    public var bareNumbers: [DocumentError] {
        var found: [DocumentError] = []
        func look(_ key: String, _ value: Value?, _ shown: String) {
            let text: String
            switch value?.kind {
            case .string(let string)?: text = string
            case .integer(let number)?: text = String(number)
            case .number(let number)?: text = number.text
            default: return
            }
            guard let value, let hint = BareNumber.spellings(of: text, for: key) else { return }
            found.append(DocumentError(position: value.position, message: "\(shown) is \(text) seconds", hint: hint))
        }
        if case .table(let keep)? = self["keep"]?.kind { look("keep", keep["age"], "keep.age") } else { look("keep", self["keep"], "keep") }
        look("expect", self["expect"], "expect")
        look("every", self["every"], "every")
        if case .array(let schedules)? = self["schedule"]?.kind {
            for case .table(let schedule) in schedules.map(\.kind) { found += schedule.bareNumbers }
        }
        return found
    }
}
