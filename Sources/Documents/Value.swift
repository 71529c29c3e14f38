/// One value of a document, with the position of its first character.
public struct Value: Sendable {
    public var kind: Kind
    public var position: Position

    public init(_ kind: Kind, at position: Position = Position(line: 1, column: 1)) {
        self.kind = kind
        self.position = position
    }

    public enum Kind: Sendable {
        case string(String)
        case integer(Int64)
        /// All numbers except integers that fit 64 bits.
        case number(Number)
        case boolean(Bool)
        /// JSON only.
        case null
        /// TOML only. Boxed, because it is rare and would make all other values larger.
        indirect case dateTime(DateTime)
        case array([Value])
        case table(Table)
    }
}

extension Value {
    /// The kind with its article, for error messages: "a string", "an integer".
    public var kindName: String {
        switch kind {
        case .string: "a string"
        case .integer: "an integer"
        case .number(let number): number.isWhole ? "an integer beyond 64 bits" : "a float"
        case .boolean: "a boolean"
        case .null: "null"
        case .dateTime(let dateTime): dateTime.kindName
        case .array: "an array"
        case .table: "a table"
        }
    }
}
