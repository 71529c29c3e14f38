/// A property of an iCalendar file with its parameters: `DTSTART;TZID=Europe/Berlin:20261224T180000`.
struct CalendarProperty {
    /// The line on which it begins, from 1.
    let line: Int
    /// In capitals.
    let name: String
    private let parameters: [Substring]
    var value: String
    /// The whole property on one line.
    let text: String

    /// RFC 5545, 3.1: a line that begins with a blank continues the one before.
    static func all(in bytes: [UInt8]) -> [CalendarProperty] {
        var properties: [CalendarProperty] = []
        var text: [UInt8] = []
        var (line, begun) = (0, 0)
        func finish() {
            if let property = CalendarProperty(String(decoding: text, as: UTF8.self), line: begun) { properties.append(property) }
            text = []
        }
        for var part in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            line += 1
            if part.last == UInt8(ascii: "\r") { part.removeLast() }
            if line == 1, part.starts(with: [0xEF, 0xBB, 0xBF]) { part.removeFirst(3) }
            if let first = part.first, first == 0x20 || first == 0x09 {
                text += part.dropFirst()
            } else {
                finish()
                (text, begun) = (Array(part), line)
            }
        }
        finish()
        return properties
    }

    private init?(_ text: String, line: Int) {
        var isQuoted = false
        var parts: [Substring] = []
        var start = text.startIndex
        var value: Substring?
        for index in text.indices {
            switch text[index] {
            case "\"": isQuoted.toggle()
            case ";" where !isQuoted:
                parts.append(text[start..<index])
                start = text.index(after: index)
            case ":" where !isQuoted:
                parts.append(text[start..<index])
                value = text[text.index(after: index)...]
            default: break
            }
            if value != nil { break }
        }
        guard let value, let first = parts.first else { return nil }
        self.line = line
        name = first.uppercased()
        parameters = Array(parts.dropFirst())
        self.value = String(value)
        self.text = text
    }

    /// The value of a parameter without its quotes. The name is in small letters.
    func parameter(_ name: String) -> String? {
        let found = parameters.first { String($0).asciiLowercased.hasPrefix("\(name)=") }
        return found.map { $0.dropFirst(name.utf8.count + 1).filter { $0 != "\"" } }
    }

    var valueCount: Int { value.utf8.split(separator: UInt8(ascii: ",")).count }

    /// One property for each value of a list.
    var values: [CalendarProperty] {
        value.split(separator: ",").map { value in
            var one = self
            one.value = String(value)
            return one
        }
    }

    /// Adds the line and the name to an error.
    func named<T>(_ read: () throws(RecurrenceError) -> T) throws(RecurrenceError) -> T {
        do throws(RecurrenceError) { return try read() } catch {
            if error.message.hasPrefix("line ") { throw error }
            throw RecurrenceError("line \(line): \(name): \(error.message)", hint: error.hint)
        }
    }
}
