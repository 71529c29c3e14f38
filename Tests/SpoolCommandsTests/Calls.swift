import Store

@testable import SpoolCommands

/// A call of a command that neither finds a spool nor reads a configuration of this machine.
func call(_ command: SpoolCommand, _ words: String...) throws -> Session { try call(command, words) }

func call(_ command: SpoolCommand, _ words: [String]) throws -> Session {
    let arguments = try Arguments(
        ["--spool", "/nonexistent/spool", "--config", "/dev/null"] + words, options: command.options + Option.global,
        ownOperands: command.ownOperands, command: command.name)
    return Session(command, arguments, output: Output(-1), errors: Output(-1))
}

/// The lines of the failure that `body` ends with; none when it succeeds.
func failure(of body: () throws(Failure) -> Void) -> Failure? {
    do throws(Failure) {
        try body()
        return nil
    } catch {
        return error
    }
}
