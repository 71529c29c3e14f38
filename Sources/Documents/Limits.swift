/// Limits on the cost of a document. When a limit is exceeded, reading stops with an error at that position.
public struct Limits: Sendable {
    /// The length of the whole document in bytes. For a script, the length of its header only.
    public var bytes = 1 << 20
    /// The depth to which tables and arrays may be nested. The table that is a whole TOML document has depth 0, the outermost
    /// array or object of JSON has depth 1. Never more than 1000, whatever is set here: reading and releasing a tree recurse once
    /// per level.
    public var depth = 64
    /// The number of values, including tables and arrays.
    public var values = 100_000

    public init(bytes: Int = 1 << 20, depth: Int = 64, values: Int = 100_000) {
        self.bytes = bytes
        self.depth = depth
        self.values = values
    }

    public static let standard = Limits()

    var depthEnforced: Int { min(depth, 1000) }
}
