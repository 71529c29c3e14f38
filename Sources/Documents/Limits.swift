/// What a document may cost. Past a limit, reading stops with an error that points at the place.
public struct Limits: Sendable {
    /// Length of the whole document in bytes. For a script, of its header only.
    public var bytes = 1 << 20
    /// How deep tables and arrays may be nested. The table that is a whole TOML document counts 0, the outermost array or
    /// object of JSON 1. Never more than 1000, whatever is set here: reading and releasing a tree recurse once per level.
    public var depth = 64
    /// How many values, tables and arrays included.
    public var values = 100_000

    public init(bytes: Int = 1 << 20, depth: Int = 64, values: Int = 100_000) {
        self.bytes = bytes
        self.depth = depth
        self.values = values
    }

    public static let standard = Limits()

    var depthEnforced: Int { min(depth, 1000) }
}
