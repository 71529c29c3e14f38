import Glibc
import Linux

/// The name under which the program was called, as messages have it.
let programName: String = {
    guard CommandLine.argc > 0, let first = CommandLine.unsafeArgv[0] else { return "crontab" }
    let path = FileName.string(from: first)
    return path.split(separator: "/").last.map(String.init) ?? path
}()

/// Writes bytes as they are. Returns false when the reader is gone or the disk is full.
@discardableResult
func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }  // not empty
        if count < 0 && errno != EINTR { return false }
        done += max(0, count)
    }
    return true
}

/// Writes a line to standard error.
func complain(_ line: String) { write(FileName.bytes(of: line) + [0x0A], to: STDERR_FILENO) }

/// Says why nothing was done, and ends.
func fail(_ line: String) -> Never {
    complain(line)
    exit(1)
}

func usage(_ mistake: String? = nil) -> Never {
    if let mistake { complain("\(programName): usage error: \(mistake)") }
    fail(
        """
        usage:\t\(programName) [-u user] [-n] file
        \t\(programName) [ -u user ] [ -i ] { -e | -l | -r }

        \t-h\t(displays this help message)

        \tfile\t(default operation is replace, per 1003.2)
        \t-n\t(dry run: checks the syntax, then bails out)
        \t-u user\t(choose the user whose crontab is touched)

        \t-e\t(edit user's crontab)
        \t-l\t(list user's crontab)
        \t-r\t(delete user's crontab)

        \t-i\t(prompt before deleting user's crontab)
        """)
}

/// Asks on standard output until the answer begins with y or n. Nil when standard input has ended.
func ask(_ question: String, again: String) -> Bool? {
    write(Array(question.utf8), to: STDOUT_FILENO)
    while true {
        guard let answer = readLine() else { return nil }
        switch answer.first {
        case "y", "Y": return true
        case "n", "N": return false
        default: write(Array(again.utf8), to: STDERR_FILENO)
        }
    }
}
