import Linux
import Store

/// What spoolctl exits with. With `wait` and `-w` it is the job's own code instead.
enum ExitCode {
    static let done: Int32 = 0
    static let failed: Int32 = 1
    static let usage: Int32 = 2
    static let notFound: Int32 = 3
    static let invalid: Int32 = 4
    static let notPermitted: Int32 = 5
    /// It was done, and its answer could not be written to standard output; standard error says what was done.
    static let unreported: Int32 = 6
    /// As timeout(1) has it.
    static let timeout: Int32 = 124
    /// The job never ran, or nobody knows how it ended.
    static let neverRan: Int32 = 125
    /// Added to a signal's number, as shells do.
    static let signalBase: Int32 = 128
}

/// Why a command did not do what was asked: lines for standard error, each of which names what it is about.
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
        case .damage: self.init(ExitCode.failed, "\(error); spoolctl fsck says more, spoolctl journal shows what is before it")
        case .system(let error): self.init(error)
        }
    }

    init(_ error: DefinitionProblem) { self.init(ExitCode.invalid, error.lines) }

    /// A definition's problems, each behind the name of its file.
    init(file: String, _ problems: Problems) {
        self.init(ExitCode.invalid, problems.all.map { "\(file):\($0)" })
    }

    static func usage(_ message: String) -> Failure { Failure(ExitCode.usage, message) }
    static func invalid(_ message: String) -> Failure { Failure(ExitCode.invalid, message) }
    static func notFound(_ message: String) -> Failure { Failure(ExitCode.notFound, message) }
}

/// Carries out calls of the system whose refusal ends the command.
func attempt<Value: ~Copyable>(_ body: () throws(SystemError) -> Value) throws(Failure) -> Value {
    do throws(SystemError) { return try body() } catch { throw Failure(error) }
}
