import Documents
import Linux

/// Finds the command that a command line names, runs it, and returns the exit code.
enum Dispatch {
    static func run(_ words: [String], output: Output, errors: Output) -> Int32 {
        var code: Int32
        do throws(Failure) {
            code = try dispatch(words, output: output, errors: errors)
        } catch {
            output.flush()
            for line in error.lines { errors.line("spoolctl: \(Output.oneLine(line))") }
            code = error.code
        }
        output.finish()
        errors.flush()
        return errors.hasFailed && code == ExitCode.done ? output.ownFailure ?? ExitCode.unreported : code
    }

    private static func dispatch(_ words: [String], output: Output, errors: Output) throws(Failure) -> Int32 {
        // The command is the first operand. Only options of every command can precede it.
        let before = try Arguments(words, options: Option.global, ownOperands: 0, command: nil)
        guard let name = before.operands.first else {
            if before.flag("version") { return try dispatch(["version"], output: output, errors: errors) }
            guard before.flag("help") else {
                Help.overview(errors)
                return ExitCode.usage
            }
            Help.overview(output)
            return ExitCode.done
        }
        guard let command = SpoolCommand.named(name) else {
            let hint = suggestion(for: name, among: SpoolCommand.all.map(\.name)) ?? "spoolctl --help lists them"
            throw .usage("unknown command \"\(name)\"; \(hint)")
        }
        let rest = Array(before.operands.dropFirst())
        var arguments: Arguments
        do throws(Failure) {
            arguments = try Arguments(
                rest, options: command.options + Option.global, ownOperands: command.ownOperands, command: command.name)
        } catch {
            throw command.waits(unreadable: rest) ? Failure(ExitCode.whileWaiting, error.lines) : error
        }
        arguments.precede(by: before)
        if arguments.flag("no-color") { for one in [output, errors] { one.dropColour() } }
        if arguments.flag("help") {
            Help.command(command, output)
            return ExitCode.done
        }
        if arguments.flag("version") { return try dispatch(["version"], output: output, errors: errors) }
        guard command.waits(arguments) else { return try run(command, arguments, output: output, errors: errors) }
        output.ownFailure = ExitCode.whileWaiting
        do throws(Failure) { return try run(command, arguments, output: output, errors: errors) } catch {
            throw Failure(ExitCode.whileWaiting, error.lines)
        }
    }

    private static func run(
        _ command: SpoolCommand, _ arguments: Arguments, output: Output, errors: Output
    ) throws(Failure) -> Int32 {
        // A service of a user of its own, which may only read, serves the page of all users.
        if command.name == SpoolCommand.monitor.name { Reader.takePlaceOfRoot() }
        let session = Session(command, arguments, output: output, errors: errors)
        for remark in arguments.remarks { session.complain(remark) }
        if arguments.flag("verbose") { session.describeSurroundings() }
        return try command.run(try EverybodysSpool.actAsOwner(session))
    }
}

extension SpoolCommand {
    static func named(_ name: String) -> SpoolCommand? { all.first { $0.name == name } }

    /// True when the exit code stands for a job's.
    func waits(_ arguments: Arguments) -> Bool { name == SpoolCommand.wait.name || arguments.flag("wait") }

    /// The same for words that have an unknown option.
    fileprivate func waits(unreadable words: [String]) -> Bool {
        name == SpoolCommand.wait.name
            || options.contains { $0.name == "wait" } && words.prefix { $0 != "--" }.contains { ["-w", "--wait"].contains($0) }
    }
}
