import Documents
import Store

extension SpoolCommand {
    static let version = SpoolCommand(
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
}
