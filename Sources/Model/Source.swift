/// The text of a definition as written, and its format. The journal keeps the text, so that an accepted definition can be run and
/// restored, whatever happens to the file.
public struct Source: Sendable, Hashable {
    public enum Format: String, Sendable, CaseIterable { case toml, json, script }

    public var format: Format
    public var bytes: [UInt8]

    /// A file of more bytes than this is refused without being read.
    public static let bytesMax = 1 << 20

    public init(format: Format, bytes: [UInt8]) {
        self.format = format
        self.bytes = bytes
    }

    /// A table written as TOML, or as JSON if a payload contains a null, which TOML cannot express.
    public init(writing table: Table) {
        if Self.holdsNull(Value(.table(table))) {
            self.init(format: .json, bytes: Array((JSON.write(Value(.table(table)), pretty: true) + "\n").utf8))
        } else {
            self.init(format: .toml, bytes: Array(TOML.write(table).utf8))
        }
    }

    private static func holdsNull(_ value: Value) -> Bool {
        switch value.kind {
        case .null: true
        case .array(let values): values.contains(where: holdsNull)
        case .table(let table): table.entries.contains { holdsNull($0.value) }
        default: false
        }
    }

    /// The format by the file's name, else by its first bytes. Nil when it is none of the three.
    public static func format(ofFile name: String, firstBytes: [UInt8], isExecutable: Bool) -> Format? {
        if name.hasSuffix(".toml") { return .toml }
        if name.hasSuffix(".json") { return .json }
        return isExecutable && isScript(firstBytes) ? .script : nil
    }

    public static func isScript(_ firstBytes: [UInt8]) -> Bool { firstBytes.starts(with: [UInt8(ascii: "#"), UInt8(ascii: "!")]) }

    /// The reason why a file has no format, and the way to give it one.
    public static func refusal(firstBytes: [UInt8]) -> (message: String, hint: String?) {
        isScript(firstBytes)
            ? ("is a script but not executable", "chmod +x it")
            : ("is not a job: expected NAME.toml, NAME.json, or an executable script that begins with #!", nil)
    }

    /// The file's name in the job's directory.
    public var fileName: String {
        switch format {
        case .toml: "job.toml"
        case .json: "job.json"
        case .script: "job"
        }
    }

    public static let fileNames = ["job.toml", "job.json", "job"]

    public func table() throws(Problems) -> Table {
        do throws(DocumentError) {
            let value =
                switch format {
                case .toml: try TOML.parse(bytes)
                case .json: try JSON.parse(bytes)
                case .script: try ScriptHeader.parse(bytes)
                }
            guard case .table(let table) = value.kind else {
                throw DocumentError(
                    position: value.position, message: "expected an object, found \(value.kind.article)", hint: nil)
            }
            return table
        } catch {
            throw Problems(error)
        }
    }
}
