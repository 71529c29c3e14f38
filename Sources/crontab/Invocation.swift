import CLinux
import Glibc
import Linux

/// What the command line asks for.
struct Invocation {
    enum Operation: Equatable {
        case help, list, remove, edit
        /// The name of the file as given; `-` is standard input.
        case replace(String)
    }

    var operation: Operation
    /// The user who calls.
    var caller: User
    /// The user whose crontab it is.
    var user: User
    /// `-n`: the crontab is only checked.
    var isDryRun = false
    /// `-i`: removing is confirmed.
    var asksFirst = false

    static func read() -> Invocation {
        guard let caller = find({ () throws(SystemError) in try User.find(id: getuid()) }) else {
            complain("\(programName): your UID isn't in the passwd file.")
            fail("bailing out.")
        }
        var user = caller
        var operation: Operation?
        var isDryRun = false, asksFirst = false
        func choose(_ chosen: Operation) {
            if operation != nil { usage("only one operation permitted") }
            operation = chosen
        }
        let (count, arguments) = (CommandLine.argc, CommandLine.unsafeArgv)
        while true {
            let option = linux_option(count, arguments, "u:hnleri")
            if option < 0 { break }
            switch UInt8(truncatingIfNeeded: option) {
            case UInt8(ascii: "h"): choose(.help)
            case UInt8(ascii: "l"): choose(.list)
            case UInt8(ascii: "r"): choose(.remove)
            case UInt8(ascii: "e"): choose(.edit)
            case UInt8(ascii: "n"): isDryRun = true
            case UInt8(ascii: "i"): asksFirst = true
            case UInt8(ascii: "u"): user = other(linux_option_value().map { FileName.string(from: $0) } ?? "")
            default: usage("unrecognized option")
            }
        }
        let first = linux_first_operand()
        let operand = first < count ? arguments[Int(first)].map { FileName.string(from: $0) } : nil
        if operation != nil, operand != nil { usage("no arguments permitted after this option") }
        guard let operation = operation ?? operand.map(Operation.replace) ?? implicitInput(count) else {
            usage("file name must be specified for replace")
        }
        return Invocation(operation: operation, caller: caller, user: user, isDryRun: isDryRun, asksFirst: asksFirst)
    }

    /// A call without any argument reads standard input. A terminal is not read, because the usual way to leave it, ctrl-D, would replace
    /// the crontab by an empty one.
    private static func implicitInput(_ count: Int32) -> Operation? {
        count <= 1 && isatty(STDIN_FILENO) == 0 ? .replace("-") : nil
    }

    private static func other(_ name: String) -> User {
        guard let user = find({ () throws(SystemError) in try User.find(name: name) }) else {
            fail("\(programName):  user `\(name)' unknown")
        }
        if getuid() != 0, getuid() != user.id { fail("must be privileged to use -u") }
        return user
    }

    /// The user, whose name is a file's name in the directory of the crontabs.
    private static func find(_ lookup: () throws(SystemError) -> User?) -> User? {
        do throws(SystemError) {
            guard let user = try lookup() else { return nil }
            if user.name.isEmpty || user.name.hasPrefix(".") || user.name.contains("/") {
                fail("\(programName): a user named \"\(user.name)\" cannot have a crontab")
            }
            return user
        } catch {
            fail("\(programName): the user database cannot be read: \(error)")
        }
    }

    /// Opens the file for a replacement, with the rights of the caller. Nil for other operations.
    func openInput() -> OpenInput? {
        guard case .replace(let name) = operation else { return nil }
        if name == "-" { return OpenInput(descriptor: FileDescriptor(owning: STDIN_FILENO)) }
        do throws(SystemError) {
            // O_NONBLOCK: a FIFO without a writer is refused, not waited for.
            let file = try FileDescriptor.open(name, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            guard try file.status().kind == .file else { fail("\(name): Not a regular file.") }
            return OpenInput(descriptor: file)
        } catch {
            fail("\(name): \(error.message)")
        }
    }
}

/// The opened file of a new crontab.
final class OpenInput {
    let descriptor: FileDescriptor
    init(descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

extension Invocation {
    /// Writes a line to the system's log, as Debian's crontab: `(caller) LIST (user)`.
    func log(_ event: String, about detail: String? = nil) {
        let line = "(\(caller.name)) \(event) (\(detail ?? user.name))"
        let isLogged = SystemLog.write(
            line, facility: .cron, program: "crontab", waitingMilliseconds: SystemLog.patienceMilliseconds)
        if !isLogged { complain("\(programName): the system's log is full, so this is not in it: \(line)") }
    }
}
