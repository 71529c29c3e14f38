import Store

extension SpoolCommand {
    static let help = SpoolCommand(
        "help", "[COMMAND]", "print the help of spoolctl or of a command",
        examples: [Example("spoolctl help submit", "prints the same as spoolctl submit --help")]
    ) { session throws(Failure) in
        guard let name = session.arguments.operands.first else {
            Help.overview(session.output)
            return ExitCode.done
        }
        if session.arguments.operands.count > 1 {
            throw .usage("help takes one COMMAND; remove \"\(session.arguments.operands[1])\"")
        }
        guard let command = named(name) else { throw .usage("unknown command \"\(name)\"; spoolctl --help lists them") }
        Help.command(command, session.output)
        return ExitCode.done
    }
}
