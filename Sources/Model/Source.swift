/// The text of a definition as somebody wrote it, and how to read it. The journal keeps it, so that what was accepted can
/// be run, and put back, whatever happens to the file.
public struct Source: Sendable, Hashable {
    public enum Format: String, Sendable, CaseIterable { case toml, json, script }

    public var format: Format
    public var bytes: [UInt8]

    /// A file of more than this is refused unread, in bytes.
    public static let bytesMax = 1 << 20

    public init(format: Format, bytes: [UInt8]) {
        self.format = format
        self.bytes = bytes
    }

    /// A table written as TOML, or as JSON where a payload holds a null, which TOML cannot say.
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

    /// Told by the file's name, else by its first bytes; nil when it is none of the three kinds.
    public static func format(ofFile name: String, firstBytes: [UInt8], isExecutable: Bool) -> Format? {
        if name.hasSuffix(".toml") { return .toml }
        if name.hasSuffix(".json") { return .json }
        return isExecutable && firstBytes.starts(with: [UInt8(ascii: "#"), UInt8(ascii: "!")]) ? .script : nil
    }

    /// What the file is called in the job's directory.
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
