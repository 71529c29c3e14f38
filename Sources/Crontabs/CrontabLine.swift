import Linux
import TextSearch

/// Writes lines of a crontab that cron reads back as the same command, input and variables.
public enum CrontabLine {
    /// The reason why a crontab cannot express the command or the variable.
    public struct Unsayable: Error {
        public var why: String
    }

    /// A command with its standard input, as written after the time fields. The result is read back before it is returned.
    public static func text(command: String, input: String?) throws(Unsayable) -> String {
        let (percent, backslash, newline) = (UInt8(ascii: "%"), UInt8(ascii: "\\"), UInt8(ascii: "\n"))
        let bytes = Array(FileName.bytes(of: command).drop(while: isBlank))
        if bytes.contains(newline) { throw Unsayable(why: "the command has several lines, and a crontab has one for each") }
        if let first = bytes.first, "-*?".utf8.contains(first) {
            throw Unsayable(why: "the command begins with \(Character(Unicode.Scalar(first)))")
        }
        let word = bytes.prefix { !isBlank($0) }
        if !word.isEmpty, LineReading.isTimeField(word) {
            throw Unsayable(why: "the command begins with \"\(String(decoding: word, as: UTF8.self))\", which reads as a sixth time field")
        }
        var line: [UInt8] = []
        for (place, byte) in bytes.enumerated() {
            let next = place + 1 < bytes.count ? bytes[place + 1] : input == nil ? nil : percent
            if byte == percent || byte == backslash && (next == percent || next == backslash) { line.append(backslash) }
            line.append(byte)
        }
        if let input {
            var inputBytes = FileName.bytes(of: input)
            // cron adds a newline to a last line of input that has none.
            if inputBytes.last == newline, inputBytes.dropLast().last.map({ $0 != newline }) ?? false { inputBytes.removeLast() }
            line.append(percent)
            for byte in inputBytes {
                if byte == percent { line.append(backslash) }
                line.append(byte == newline ? percent : byte)
            }
        }
        let read = LineReading.parts(line[...])
        guard read.command == bytes, read.input == input.map(FileName.bytes), line.last != UInt8(ascii: "\r"), !line.contains(0) else {
            throw Unsayable(why: "a line of the command's input ends with a backslash, or its last one is nothing else")
        }
        return FileName.string(from: line)
    }

    /// Debian's cron and cronie read the command of this line differently.
    public static func dependsOnDialect(_ line: String) -> Bool { line.contains("\\\\") }

    /// `NAME="VALUE"`, in a kind of quotes that the value does not contain.
    public static func assignment(_ name: String, _ value: String) throws(Unsayable) -> String {
        for text in ["\(name)=\"\(value)\"", "\(name)='\(value)'", "\(name)=\(value)"] {
            let bytes = FileName.bytes(of: text)
            guard !bytes.contains(UInt8(ascii: "\n")), let read = Crontab.Settings.assignment(bytes[...]), read == (name, value) else {
                continue
            }
            return text
        }
        throw Unsayable(why: value.utf8.contains(UInt8(ascii: "\n")) ? "its value has several lines" : "its value has quotes of both kinds")
    }

    /// Debian's cron changes the value, contrary to its own manual: it removes blanks at the end and a second pair of quotes.
    public static func isChangedByDebian(_ value: String) -> Bool {
        guard let first = value.utf8.first, let last = value.utf8.last else { return false }
        return isBlank(last) || value.utf8.count > 1 && first == last && "'\"".utf8.contains(first)
    }
}
