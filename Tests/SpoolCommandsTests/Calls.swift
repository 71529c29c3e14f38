import Store

@testable import SpoolCommands

/// A call of a command without a spool and without the machine's configuration.
func call(_ command: SpoolCommand, _ words: String...) throws -> Session { try call(command, words) }

func call(_ command: SpoolCommand, _ words: [String]) throws -> Session {
    let arguments = try Arguments(
        ["--spool", "/nonexistent/spool", "--config", "/dev/null"] + words, options: command.options + Option.global,
        ownOperands: command.ownOperands, command: command.name)
    return Session(command, arguments, output: Output(-1), errors: Output(-1))
}

/// The failure that `body` throws, or nil.
func failure(of body: () throws(Failure) -> Void) -> Failure? {
    do throws(Failure) {
        try body()
        return nil
    } catch {
        return error
    }
}
