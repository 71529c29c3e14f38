// ExecutorProtocol: the words and numbers of the protocol between spoold and the programs of executors, spool-executor(7).
//
// spoold and our executors use the same ones, so neither says a word that the other does not know.

/// The form of a call's lines.
public enum ExecutorLines {
    public static let version: Int64 = 1
    /// The longest line of an executor, in bytes.
    public static let bytesMax = 64 << 10
}

/// The state of a run in its engine.
public enum EngineState: String, Sendable, CaseIterable {
    case pending, running, ended
    /// The engine answered, and does not know the run.
    case gone
    /// A state that nobody here knows, or that may still change.
    case open
}

/// The engine's reason for the end of a run.
public enum EndReason: String, Sendable, CaseIterable {
    case completed, failed, timeout
    case outOfMemory = "out_of_memory"
    case nodeFail = "node_fail"
    case canceled, deadline, preempted
    /// The engine could not start it.
    case launch
}

/// Classes of errors, which say whether a submission may have been made.
public enum ErrorClass: String, Sendable, CaseIterable {
    /// Certainly not done; it may be tried again.
    case later
    /// It will never be done.
    case refused
    /// It may have been done.
    case unknown
}
