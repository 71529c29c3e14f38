import Linux
import Store

/// The exit codes of spoolctl. `wait` and `-w` exit with the job's own code instead, and with `whileWaiting` when spoolctl itself fails.
enum ExitCode {
    static let done: Int32 = 0
    static let failed: Int32 = 1
    static let usage: Int32 = 2
    static let notFound: Int32 = 3
    static let invalid: Int32 = 4
    static let notPermitted: Int32 = 5
    /// The change was made, but its answer could not be written to standard output. Standard error says what was changed.
    static let unreported: Int32 = 6
    /// `status` and `health`: no daemon serves the spool. The code of the Linux Standard Base for a service that does not run.
    static let notServed: Int32 = 3
    /// The code of timeout(1).
    static let timeout: Int32 = 124
    /// The job never ran, or how it ended is unknown.
    static let neverRan: Int32 = 125
    /// spoolctl itself failed while its exit code stands for a job's: the code of env(1) and timeout(1) for their own failures.
    static let whileWaiting: Int32 = 125
    /// Added to a signal's number, as shells do.
    static let signalBase: Int32 = 128
}

/// Why a command failed: an exit code, and lines for standard error, each of which names the file, option or job that it is about.
struct Failure: Error {
    var code: Int32
    var lines: [String]

    init(_ code: Int32, _ lines: [String]) {
        self.code = code
        self.lines = lines
    }

    init(_ code: Int32, _ line: String) { self.init(code, [line]) }

    init(_ error: SystemError) {
        let isRefusal = error.errno == SystemError.permissionDenied || error.errno == SystemError.notPermitted
        self.init(isRefusal ? ExitCode.notPermitted : ExitCode.failed, "\(error)")
    }

    init(_ error: JournalError) {
        switch error {
        case .damage:
            self.init(ExitCode.failed, "\(error); spoolctl fsck describes the damage, spoolctl journal prints the records before it")
        case .system(let error): self.init(error)
        }
    }

    init(_ error: DefinitionProblem) { self.init(ExitCode.invalid, error.lines) }

    /// The problems of a definition, each after the name of its file.
    init(file: String, _ problems: Problems) {
        self.init(ExitCode.invalid, problems.all.map { "\(file):\($0)" })
    }

    static func usage(_ message: String) -> Failure { Failure(ExitCode.usage, message) }
    static func invalid(_ message: String) -> Failure { Failure(ExitCode.invalid, message) }
    static func notFound(_ message: String) -> Failure { Failure(ExitCode.notFound, message) }
}

/// Makes system calls whose errors end the command.
func attempt<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(Failure) -> Value {
    do throws(SystemError) { return try body() } catch { throw Failure(error) }
}
