import Documents
import Store

extension SpoolCommand {
    static let version = SpoolCommand(
        "version", "", "say which version this is",
        examples: [Example("spoolctl version --json", "with the format of the spool that it reads and writes")]
    ) { session throws(Failure) in
        try session.noOperands()
        if session.isJSON {
            session.output.jsonObject { writer in
                writer.member("version", Version.text)
                // The last word of `spoold spool format 1`.
                writer.member("format", Layout.formatText.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) })
            }
        } else {
            session.output.line("spoolctl \(Version.text)")
        }
        return ExitCode.done
    }
}
