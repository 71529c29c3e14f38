import CLinux
import Glibc
import Linux
import WorkerProtocol

/// A PAM session in which a program is started for a user: a worker, or the daemon of a user.
///
/// Root's daemon starts `spoold --session SERVICE USER PROGRAM ARGUMENT…`, which opens the session and becomes the program. So the program
/// has the session's limits and login id from its first instruction, and the number of the process that the daemon started. The variables
/// of the session are not those of the program: it finds them in ``variable``, one a line, and gives them to jobs.
public struct Session: Hashable, Sendable {
    /// The name of a file in /etc/pam.d.
    let service: String
    /// The path of spoold.
    let program: String

    public static let argument = "--session"
    /// The variable in which a program finds the variables of its session.
    static let variable = RunRequest.sessionVariable

    /// The arguments with which ``program`` starts another program in a session for a user.
    func arguments(for user: String, _ other: String, _ arguments: [String]) -> [String] {
        ["spoold", Self.argument, service, user, other] + arguments
    }

    /// Opens the session and becomes the program. Returns the reason when that fails.
    ///
    /// - Parameter words: the words after ``argument``.
    public static func become(_ words: [String]) -> String {
        guard words.count > 3, geteuid() == 0 else { return "only root's spoold gives this argument, with a service, a user and a program" }
        let why: String
        do throws(Pam.Refusal) {
            let variables = try Pam().openSession(service: words[0], user: words[1]).filter { !$0.utf8.contains(UInt8(ascii: "\n")) }
            setenv(variable, variables.joined(separator: "\n"), 1)
            why = "\(Linux.Process.become(words[2], arguments: Array(words.dropFirst(3))))"
        } catch { why = error.why }
        // A job that no worker takes says why. So does root's daemon of a user who is not served.
        let isWorker = words[3] == WorkerProcess.name
        let message = isWorker
            ? Report.cannotServe(errno: EPERM, message: why).frame()
            : Array(UserReport.refused(String(why.map { $0.isNewline ? " " : $0 })).text.utf8)
        _ = send(
            isWorker ? WorkerProcess.socketDescriptor : UserLink.descriptor, message, message.count,
            Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        return why
    }

    /// The session of this process, as one line of an environment. Nil when it has none.
    static var own: String? { getenv(variable).map { "\(variable)=\(FileName.string(from: $0))" } }
}
