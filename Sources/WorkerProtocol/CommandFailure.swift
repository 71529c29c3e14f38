/// The reason why the command of a run could not be executed. A failure of anything else, such as the run's directory or input, is none.
///
/// Reports and records have only the message of a spawn failure. It begins with the reason, so that workers and daemons of several
/// versions understand each other.
public enum CommandFailure: String, Sendable, CaseIterable {
    case notFound = "command not found: "
    case denied = "permission denied: "
    case notExecutable = "command cannot be executed: "

    public func message(_ what: String) -> String { rawValue + what }

    /// Nil when the message is about something else.
    public init?(message: String) {
        guard let reason = Self.allCases.first(where: { message.hasPrefix($0.rawValue) }) else { return nil }
        self = reason
    }

    /// The exit code that a shell gives for this reason (sh(1), "Exit Status").
    public var exitCode: Int32 { self == .notFound ? 127 : 126 }
}
