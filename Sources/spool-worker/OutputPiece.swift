/// Some lines of an output file, or a part of a line that is too long.
struct OutputPiece {
    /// The number of bytes in the file.
    let count: Int
    /// The lines without the last line's end. Runs of NUL are left out: a part of the file that was given back reads as NUL.
    let text: [UInt8]
    /// True when the line continues in the next piece.
    let isPartial: Bool
    /// True when the file has NUL bytes there.
    let isGap: Bool

    /// Returns nil when the line at the beginning is not whole yet.
    init?(of rest: ArraySlice<UInt8>, isAtEnd: Bool, isFull: Bool, for reader: any OutputReader) {
        let newline = UInt8(ascii: "\n")
        let window = rest.prefix(reader.pieceBytes)
        let lineEnd = reader.takesSingleLines ? window.firstIndex(of: newline) : window.lastIndex(of: newline)
        let lines: ArraySlice<UInt8>
        if let lineEnd {
            lines = rest[..<lineEnd]
            count = lines.count + 1
            isPartial = false
        } else if window.count < rest.count || isFull || isAtEnd {
            lines = window
            count = window.count
            isPartial = window.count < rest.count || !isAtEnd
        } else {
            return nil
        }
        isGap = lines.contains(0)
        text = isGap ? Self.withoutNULs(lines) : Array(lines)
    }

    /// Replaces each run of NUL by a blank, or by nothing at the beginning and the end of a line.
    private static func withoutNULs(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var isInRun = false
        for byte in bytes {
            if byte == 0 {
                isInRun = true
                continue
            }
            let isEnd = byte == UInt8(ascii: "\n")
            if isInRun, !isEnd, let last = text.last, last != UInt8(ascii: "\n") { text.append(UInt8(ascii: " ")) }
            isInRun = false
            text.append(byte)
        }
        return text
    }
}
