/// A position in a document. Both numbers start at 1. The column counts characters (Unicode scalars), not bytes, so that it
/// agrees with editors. A byte order mark at the start is not counted.
public struct Position: Hashable, Sendable {
    public var line: Int
    public var column: Int

    @inlinable
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

extension Position: CustomStringConvertible {
    public var description: String { "\(line):\(column)" }
}
