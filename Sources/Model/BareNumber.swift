/// Durations without a unit in keys where people mean days or minutes, but a plain number means seconds.
///
/// The number of a timeout means seconds in Unix tools (`timeout 30`, `sleep 5`), so such keys and options are not included.
public enum BareNumber {
    /// The unit that people probably mean, by the key of a file or the option of a command.
    private static let likelyUnits: [String: (letter: String, word: String)] = [
        "keep": days, "expect": days, "older-than": days, "since": days, "until": days, "from": days, "to": days, "every": ("m", "minutes"),
        "slow": ("m", "minutes"), "notify-every": ("h", "hours"), "notify_every": ("h", "hours"),
    ]
    private static let days = ("d", "days")

    /// The two likely forms of a number without a unit, `30d` and `30s`. Nil when the text is not such a number, when it is zero,
    /// which needs no unit, or when everybody expects seconds for this key or option.
    public static func spellings(of text: String, for name: String) -> String? {
        guard let unit = likelyUnits[name], let number = number(text) else { return nil }
        return "write \(number)\(unit.letter) for \(unit.word), or \(number)s for seconds"
    }

    /// True for a number alone, without blanks and sign, that is not zero.
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
    /// The durations without a unit in the table of a task, job, schedule or configuration, in keys where people mean another
    /// unit than seconds. They are read as seconds, and the author is warned.
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
        for key in ["expect", "every", "slow", "notify_every"] { look(key, self[key], key) }
        if case .array(let schedules)? = self["schedule"]?.kind {
            for case .table(let schedule) in schedules.map(\.kind) { found += schedule.bareNumbers }
        }
        return found
    }
}
