/// The script of a job that mails the end of another job. It is in the mailing job's directory and can be run by hand.
///
/// Nothing from the other job can add a line to the header: its name, title and id contain no line ends, the address was checked when
/// it was read, and the job's output comes after the header.
struct MailScript {
    let text: String

    private static let linesMax = 100
    /// The limit for each stream, in bytes.
    private static let bytesMax = 32 << 10

    init(_ job: Job, _ mail: Mail, host: String, command: [String]) {
        let host = Self.isHostName(host) ? host : "localhost"
        let outcome = Self.outcome(of: job)
        let name = job.definition.title.map { "\(job.name) (\($0))" } ?? job.name
        let header = [
            "To: \(mail.to)", "Subject: [\(host)] \(Self.subjectName(of: job)): \(outcome)", "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit",
        ]
        let sender = mail.from.map { ["From: \($0)"] } ?? []
        let ended = job.endedAt.map { " at \($0.rfc3339)" } ?? ""
        let why = job.error.map { ": \($0)" } ?? ""
        let sentence = "\(name) on \(host) \(job.state == .done ? "succeeded" : "failed")\(ended)\(why)"
        let last = job.attempt == 0 ? "It was never started." : "This was try \(job.attempt) of \(job.definition.tries)."
        let tries = "\(last) All of it is in"
        text = """
            #!/bin/sh
            # Mails how a job ended, with the last lines of what it wrote.
            show() {
                [ -s "$SPOOL_PARENT_DIR/$1" ] || return 0
                printf '\\nThe last lines of %s:\\n\\n' "$1"
                tail -n \(Self.linesMax) "$SPOOL_PARENT_DIR/$1" | tail -c \(Self.bytesMax) | tr -d '\\000' | fold -b -w 900
                echo
            }
            {
                printf '%s\\n' \((sender + header).map(Self.quoted).joined(separator: " \\\n        "))
                printf '%s\\n' "Date: $(LC_ALL=C date '+%a, %d %b %Y %H:%M:%S %z')" "Message-ID: <$SPOOL_JOB_ID@\(host)>" ''
                printf '%s\\n' \(Self.quoted(sentence)) \(Self.quoted(tries)) "$SPOOL_PARENT_DIR"
                show stdout
                show stderr
            } | \(command.map(Self.quoted).joined(separator: " "))

            """
    }

    /// The job's name and title. A title that is not ASCII is encoded.
    private static func subjectName(of job: Job) -> String {
        guard let title = job.definition.title else { return job.name }
        return "\(job.name) (\(title.utf8.allSatisfy { $0 < 0x80 } ? title : encodedWords(title)))"
    }

    /// RFC 2047: `=?utf-8?Q?…?=`, at most 75 characters each, none of which divides a character.
    private static func encodedWords(_ text: String) -> String {
        var words = [""]
        for scalar in text.unicodeScalars {
            let piece = String(scalar).utf8.map { byte -> String in
                let letter = byte | 0x20
                if (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(letter) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
                    return String(UnicodeScalar(byte))
                }
                return byte == 0x20 ? "_" : "=\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))"
            }.joined()
            if words[words.count - 1].utf8.count + piece.utf8.count > 60 { words.append("") }
            words[words.count - 1] += piece
        }
        // The reader joins words that only a blank separates.
        return words.map { "=?utf-8?Q?\($0)?=" }.joined(separator: " ")
    }

    /// `exit 3`, `timeout`, `done`.
    private static func outcome(of job: Job) -> String {
        switch job.reason {
        case nil: job.state.rawValue
        case .exit: "exit \(job.exitCode.map(String.init) ?? "?")"
        case .signal: job.signal.map { Signal.name($0) } ?? "signal"
        case let reason?: reason.rawValue
        }
    }

    private static func isHostName(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "." || $0 == "-" || $0 == "_") }
    }

    /// Quotes a text as one word for the shell.
    static func quoted(_ text: String) -> String {
        var word = "'"
        // By scalars: a mark that combines with the quotation mark is part of one Character with it.
        for scalar in text.unicodeScalars where scalar.value != 0 {
            if scalar == "'" { word += "'\\''" } else { word.unicodeScalars.append(scalar) }
        }
        return word + "'"
    }
}
