import Documents
import Store

extension SpoolCommand {
    static let version = SpoolCommand(
        "version", "", "print the version",
        examples: [Example("spoolctl version --json", "the version, and the format of the spools that it reads and writes")]
    ) { session throws(Failure) in
        try session.noOperands()
        if session.isJSON {
            session.output.jsonObject { writer in
                writer.member("version", Version.text)
                // The format's text is `spoold spool format N`.
                writer.member("format", Layout.formatText.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) })
            }
        } else {
            session.output.line("spoolctl \(Version.text)")
        }
        return ExitCode.done
    }
}
