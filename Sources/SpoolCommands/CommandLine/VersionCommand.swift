import Documents
import Store

extension SpoolCommand {
    static let version = SpoolCommand(
        "version", "", "print the version, and in a package also the commit of its source",
        examples: [Example("spoolctl version --json", "the version, and the format of the spools that it reads and writes")]
    ) { session throws(Failure) in
        try session.noOperands()
        if session.isJSON {
            session.output.jsonObject { writer in
                writer.member("version", Version.text)
                writer.member("commit", Version.build?.commit)
                writer.member("date", Version.build?.date)
                writer.member("modified", Version.build?.isModified ?? false)
                // The format's text is `spoold spool format N`.
                writer.member("format", Layout.formatText.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) })
            }
        } else {
            session.output.line(Version.line(of: "spoolctl"))
        }
        return ExitCode.done
    }
}
