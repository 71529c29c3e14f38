import Documents
import Store

extension Command {
    static let version = Command(
        "version", "", "say which version this is",
        examples: [Example("spoolctl version --json", "with the format of the spool that it reads and writes")]
    ) { session throws(Failure) in
        try session.noOperands()
        if session.isJSON {
            var writer = JSONWriter(reserving: 64)
            writer.beginObject()
            writer.member("version", Version.text)
            // The last word of `spoold spool format 1`.
            writer.member("format", Layout.formatText.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) })
            writer.endObject()
            session.output.line(String(decoding: writer.bytes, as: UTF8.self))
        } else {
            session.output.line("spoolctl \(Version.text)")
        }
        return ExitCode.done
    }

    static let help = Command(
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
