import Documents

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
        return errors.hasFailed && code == ExitCode.done ? ExitCode.unreported : code
    }

    private static func dispatch(_ words: [String], output: Output, errors: Output) throws(Failure) -> Int32 {
        let globals = Option.global + [Option("version", "V", "print the version")]
        // The command is the first operand. Only options of every command can precede it.
        let before = try Arguments(words, options: globals, ownOperands: 0, command: nil)
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
        let leading = words.prefix(words.count - before.operands.count)
        let arguments = try Arguments(
            leading.filter { $0 != "--" } + before.operands.dropFirst(), options: command.options + Option.global,
            ownOperands: command.ownOperands, command: command.name)
        if arguments.flag("help") {
            Help.command(command, output)
            return ExitCode.done
        }
        return try command.run(try EverybodysSpool.actAsOwner(Session(command, arguments, output: output, errors: errors)))
    }
}

extension SpoolCommand {
    static func named(_ name: String) -> SpoolCommand? { all.first { $0.name == name } }
}
