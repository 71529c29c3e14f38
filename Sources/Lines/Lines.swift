// Lines: cuts text from other people into lines. All readers of lines use this module: `#SPOOL` headers, env_file, `submit
// --lines`, crontabs, at's jobs.
//
// Contract:
//
// - It is pure and works on bytes. A byte that is not UTF-8 is passed on unchanged.
// - A line ends with LF or with CR LF. The last line may lack its end. A byte order mark before the first line is not part of the
//   line.
// - Text in a form that cannot be meant as lines is refused, with the position and the command that converts it: UTF-16, UTF-32,
//   and lines that end with CR alone.

/// The lines of a whole text, one after another.
public struct Lines: Sequence, IteratorProtocol, Sendable {
    public struct Line: Sendable, Equatable {
        /// The line's number, from 1.
        public var number: Int
        /// The line without its end.
        public var bytes: ArraySlice<UInt8>

        public init(number: Int, bytes: ArraySlice<UInt8>) {
            self.number = number
            self.bytes = bytes
        }
    }

    private var rest: ArraySlice<UInt8>
    private var number: Int

    /// - Parameter first: the number of the first line.
    public init(_ bytes: ArraySlice<UInt8>, first: Int = 1) {
        rest = first == 1 ? Self.withoutByteOrderMark(bytes) : bytes
        number = first
    }

    /// Throws for a text that cannot be cut into lines. See ``NotLines``.
    public init(checking bytes: [UInt8]) throws(NotLines) {
        if let problem = NotLines(start: bytes[...]) ?? NotLines(whole: bytes[...]) { throw problem }
        self.init(bytes[...])
    }

    public mutating func next() -> Line? {
        guard !rest.isEmpty else { return nil }
        let end = rest.firstIndex(of: newline) ?? rest.endIndex
        var bytes = rest[..<end]
        if bytes.last == carriageReturn { bytes.removeLast() }
        let line = Line(number: number, bytes: bytes)
        rest = rest[end...].dropFirst()
        number += 1
        return line
    }

    static func withoutByteOrderMark(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes
    }
}

extension Lines.Line {
    /// The column of a byte in the line, from 1. Columns count characters; each byte that is not UTF-8 counts as one.
    public func column(of place: Int) -> Int {
        bytes[..<Swift.min(place, bytes.endIndex)].count { $0 & 0xC0 != 0x80 } + 1
    }

    /// The first byte that is not UTF-8. Nil when the whole line is UTF-8.
    public var firstInvalid: Int? {
        var decoder = UTF8()
        var input = bytes.makeIterator()
        var place = bytes.startIndex
        while true {
            switch decoder.decode(&input) {
            case .scalarValue(let scalar): place += UTF8.width(scalar)
            case .emptyInput: return nil
            case .error: return place
            }
        }
    }
}

/// The lines of a text that arrives piece by piece.
public struct LineReader: Sendable {
    /// The beginning of a line whose end has not been read.
    private var rest: [UInt8] = []
    private var number = 1
    private var isStart = true

    public init() {}

    /// Adds a piece and returns the lines that are now complete.
    public mutating func lines(in piece: [UInt8]) throws(NotLines) -> Lines {
        guard let last = piece.lastIndex(of: newline) else {
            rest += piece
            return Lines([])
        }
        let whole = rest + piece[...last]
        rest = Array(piece[(last + 1)...])
        try checkStart(whole)
        let lines = Lines(whole[...], first: number)
        number += whole.count { $0 == newline }
        return lines
    }

    /// The last line, if it lacks its end. Call this once, after the last piece.
    public mutating func end() throws(NotLines) -> Lines {
        try checkStart(rest)
        if number == 1, let problem = NotLines(whole: rest[...]) { throw problem }
        return Lines(rest[...], first: number)
    }

    private mutating func checkStart(_ bytes: [UInt8]) throws(NotLines) {
        guard isStart else { return }
        isStart = false
        if let problem = NotLines(start: bytes[...]) { throw problem }
    }
}

private let newline: UInt8 = 0x0A
private let carriageReturn: UInt8 = 0x0D
