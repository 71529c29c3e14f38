import Linux
import Store
import TextSearch

/// A job that at(1) has queued: a shell script in atd's spool that sets the umask, the environment and the directory of its
/// caller, followed by the command. The file's name is the queue's letter, five hexadecimal digits of the job's number
/// and eight of the start's minute since the epoch (at.c and atd.c of Debian's at).
struct AtJob {
    /// Why a file of atd's spool is refused.
    struct Refusal: Error {
        var why: String
    }

    /// The content of the file's name.
    struct Name {
        var queue: Character
        var number: Int
        var start: Instant

        init(queue: Character, number: Int, start: Instant) {
            self.queue = queue
            self.number = number
            self.start = start
        }

        /// Nil when the file is not a job, such as `.SEQ`.
        init?(_ file: String) {
            let bytes = Array(file.utf8)
            guard bytes.count == 14, let queue = file.first, queue.isASCII, queue.isLetter || queue == "=",
                bytes.dropFirst().allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }),
                let number = Int(file.dropFirst().prefix(5), radix: 16), let minutes = Int64(file.suffix(8), radix: 16)
            else { return nil }
            self.queue = queue
            self.number = number
            // At most 2^32 minutes, which cannot overflow.
            start = Instant(milliseconds: minutes * 60_000)
        }
    }

    let number: Int
    let start: Instant
    let source: Source
    /// The id follows from the job of at, so that a second import finds the first.
    let id: JobID

    /// - Parameters:
    ///   - owner: the owner of the file. atd requires that the text names the same user.
    ///   - user: the user that runs the job; nil for the user that imports it.
    ///   - path: the file's path, for a comment in the job's file.
    init(_ name: Name, text bytes: [UInt8], owner: UInt32, user: String?, path: String) throws(Refusal) {
        guard name.queue != "=" else { throw Refusal(why: "it is running") }
        guard !bytes.contains(0) else { throw Refusal(why: "it is not a text: it contains a zero byte") }
        let text = FileName.string(from: bytes)
        guard text.hasPrefix("#!") else { throw Refusal(why: "it is not a script: it does not begin with #!") }
        if let other = Self.number(in: text, after: "# atrun uid="), other != owner {
            throw Refusal(why: "it names user \(other), but its file belongs to user \(owner)")
        }
        number = name.number
        start = name.start
        let written = Source(writing: Self.table(name, text: text, user: user))
        source = Source(format: written.format, bytes: Array("# From \(path)\n".utf8) + written.bytes)
        guard source.bytes.count <= Source.bytesMax else {
            throw Refusal(why: "the job would be \(source.bytes.count) bytes; at most \(Source.bytesMax) are read")
        }
        id = JobID(instant: start, name: "at-\(number)", unique: UInt64(number))
    }

    /// The job's file: the script with the start, the queue, the niceness and the mail that atd gives it.
    static func table(_ name: Name, text: String, user: String? = nil) -> Table {
        var table = Table()
        let command = Self.firstCommand(of: text)
        table.set("description", Value(.string("at job \(name.number)\(command.map { ": \($0)" } ?? "")")))
        table.set("script", Value(.string(text)))
        if let user { table.set("user", Value(.string(user))) }
        table.set("start", Value(.string(name.start.rfc3339)))
        table.set("queue", Value(.string(String(name.queue))))
        // atd.c: nice((tolower(queue) - 'a') * 2), which the kernel limits to 19.
        if let letter = name.queue.lowercased().utf8.first, letter > 0x61 {
            table.set("nice", Value(.integer(min(19, Int64(letter - 0x61) * 2))))
        }
        if let mail = Self.mail(text) { table.set("mail", mail) }
        // atd mails both in the order in which they were written.
        table.set("combine_output", Value(.boolean(true)))
        return table
    }

    private static func number(in text: String, after prefix: String) -> UInt32? {
        guard let range = text.firstRange(of: "\n\(prefix)") else { return nil }
        return UInt32(text[range.upperBound...].prefix { $0.isNumber })
    }

    /// The line `# mail USER N`: 1 always mails, 0 mails output, -1 never mails.
    private static func mail(_ text: String) -> Value? {
        guard let range = text.firstRange(of: "\n# mail ") else { return nil }
        let words = text[range.upperBound...].prefix { $0 != "\n" }.split(separator: " ")
        guard words.count == 2, words[1] != "-1" else { return nil }
        var mail = Table()
        mail.set("to", Value(.string(String(words[0]))))
        mail.set("when", Value(.string(words[1] == "1" ? "always" : "output")))
        mail.set("form", Value(.string("at")))
        return Value(.table(mail))
    }

    /// The first line of the command, which follows the block that changes the directory; cut after 60 characters.
    private static func firstCommand(of text: String) -> String? {
        guard let inaccessible = text.firstRange(of: "'Execution directory inaccessible'"),
            let end = text[inaccessible.upperBound...].firstRange(of: "\n}\n")
        else { return nil }
        let line = text[end.upperBound...].split(separator: "\n").lazy.map { $0.drop { $0 == " " || $0 == "\t" } }.first { !$0.isEmpty }
        guard let line else { return nil }
        return line.count > 60 ? "\(line.prefix(59))…" : String(line)
    }
}
