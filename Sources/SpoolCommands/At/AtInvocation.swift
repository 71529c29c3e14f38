import CLinux
import Glibc
import Linux
import Store

/// What the command line of at, atq, atrm or batch asks for.
struct AtInvocation {
    enum Operation { case submit, list, show, remove }

    var operation = Operation.submit
    /// Numbers of jobs, or the words of a time.
    var operands: [String] = []
    /// Nil when no queue was given.
    var queue: Character?
    var isBatch = false
    /// The file with the commands; nil for standard input.
    var file: String?
    /// The time of `-t`.
    var time: String?
    /// `-v`: says first when the job will run.
    var saysTime = false
    /// 1 always mails, 0 mails output, -1 never mails.
    var mail = 0
    /// The user who gets the mail; nil for the caller.
    var mailUser: String?
    var timeFormat = "%a %b %e %T %Y"

    /// The name under which the program was called.
    static let programName: String = {
        guard CommandLine.argc > 0, let first = CommandLine.unsafeArgv[0] else { return "at" }
        let path = FileName.string(from: first)
        return path.split(separator: "/").last.map(String.init) ?? "at"
    }()

    static func read(_ errors: Output) -> AtInvocation {
        var invocation = AtInvocation()
        let name = programName
        var options = "q:f:Mmu:bvlrdhVct:o:"
        if name == "atq" {
            invocation.operation = .list
            options = "hq:Vo:"
        } else if name == "atrm" {
            invocation.operation = .remove
            options = "hV"
        } else if name == "batch" {
            guard CommandLine.argc <= 1 else { end(errors, "batch accepts no parameters") }
            // As Debian's script of this name, which calls `at -qb now`.
            invocation.queue = "b"
            invocation.operands = ["now"]
            return invocation
        }
        while true {
            let option = linux_option(CommandLine.argc, CommandLine.unsafeArgv, options)
            if option < 0 { break }
            invocation.take(UInt8(truncatingIfNeeded: option), linux_option_value().map { FileName.string(from: $0) } ?? "", errors)
        }
        for index in Int(linux_first_operand())..<max(Int(linux_first_operand()), Int(CommandLine.argc)) {
            if let word = CommandLine.unsafeArgv[index] { invocation.operands.append(FileName.string(from: word)) }
        }
        return invocation
    }

    private mutating func take(_ option: UInt8, _ value: String, _ errors: Output) {
        switch option {
        case UInt8(ascii: "h"): Self.usage(errors)
        case UInt8(ascii: "V"): Self.end(errors, "at version 3.2.5 (\(Version.line(of: "spoold")))", code: 0)
        case UInt8(ascii: "v"): saysTime = true
        case UInt8(ascii: "m"): mail = 1
        case UInt8(ascii: "M"): mail = -1
        case UInt8(ascii: "u"): mailUser = value
        case UInt8(ascii: "f"): file = value
        case UInt8(ascii: "t"): time = value
        case UInt8(ascii: "o"): timeFormat = value
        case UInt8(ascii: "b"): isBatch = true
        case UInt8(ascii: "c"): operation = .show
        case UInt8(ascii: "l"): operation = .list
        case UInt8(ascii: "r"), UInt8(ascii: "d"): operation = .remove
        case UInt8(ascii: "q"):
            guard value.utf8.count == 1, let letter = value.first, letter.isASCII, letter.isLetter || letter == "=" else {
                Self.usage(errors)
            }
            queue = letter
        default: Self.usage(errors)
        }
    }

    /// The queue of a new job. A queue with a capital letter, and `b`, waits for a low load.
    var queueOfJob: Character {
        guard isBatch else { return queue ?? "a" }
        return queue.flatMap { $0.uppercased().first } ?? "b"
    }

    var waitsForLoad: Bool { queueOfJob == "b" || queueOfJob.isUppercase }

    static func end(_ errors: Output, _ line: String, code: Int32 = 1) -> Never {
        errors.line(line)
        errors.flush()
        exit(code)
    }

    /// Exits with 1 for `-h` too, as Debian's at.
    static func usage(_ errors: Output) -> Never {
        end(
            errors,
            """
            Usage: at [-V] [-q x] [-f file] [-u username] [-mMlbv] timespec ...
                   at [-V] [-q x] [-f file] [-u username] [-mMlbv] -t time
                   at -c job ...
                   at [-V] -l [-o timeformat] [job ...]
                   atq [-V] [-q x] [-o timeformat] [job ...]
                   at [ -rd ] job ...
                   atrm [-V] job ...
                   batch
            """)
    }
}
