import Store

extension SpoolCommand {
    static let help = SpoolCommand(
        "help", "[COMMAND]", "say how a command is called",
        examples: [Example("spoolctl help submit", "the same as spoolctl submit --help")]
    ) { session throws(Failure) in
        guard let name = session.arguments.operands.first else {
            Help.overview(session.output)
            return ExitCode.done
        }
        if session.arguments.operands.count > 1 { throw .usage("help takes one COMMAND, and \"\(session.arguments.operands[1])\" is too many") }
        guard let command = named(name) else { throw .usage("unknown command \"\(name)\"; spoolctl --help lists them") }
        Help.command(command, session.output)
        return ExitCode.done
    }
}
