/// The last lines that a failed run has written, for its `status.json`: of standard error, or of standard output when standard error is
/// empty. The run may have written anything, so the lines are bounded, and control characters in them are made visible.
public struct ErrorTail {
    /// The lines, joined by line feeds. Nil when nothing is left to quote.
    public let text: String?

    static let linesMax = 3
    static let bytesMax = 400
    /// The bytes that are read at the end of a file. Some of them are blank lines, or colours.
    static let readBytesMax = 4096

    public init(_ bytes: [UInt8]) {
        var kept: [String] = []
        var room = Self.bytesMax
        for piece in bytes.split(separator: UInt8(ascii: "\n")).reversed() where kept.count < Self.linesMax && room > 0 {
            let line = Self.line(piece)
            if line.isEmpty { continue }
            // The end of a longer line says more than its beginning, which may have been cut already.
            kept.append(line.utf8.count <= room ? line : Self.end(of: line, bytes: room))
            room -= line.utf8.count + 1
        }
        text = kept.isEmpty ? nil : kept.reversed().joined(separator: "\n")
    }

    /// A line as a terminal would show it, without colours and white space around it.
    private static func line(_ bytes: ArraySlice<UInt8>) -> String {
        var plain: [UInt8] = []
        plain.reserveCapacity(bytes.count)
        // A carriage return begins the line again, as a progress bar does; one at the end only belongs to the line's end.
        var rest = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
        if let last = rest.lastIndex(of: UInt8(ascii: "\r")) { rest = rest[(last + 1)...] }
        while let byte = rest.popFirst() {
            if byte == 0x1B, rest.first == UInt8(ascii: "["), let end = rest.dropFirst().firstIndex(where: { (0x40...0x7E).contains($0) }) {
                rest = rest[(end + 1)...]
            } else {
                plain.append(byte == UInt8(ascii: "\t") ? UInt8(ascii: " ") : byte)
            }
        }
        while plain.last == UInt8(ascii: " ") { plain.removeLast() }
        return TerminalText.safe(String(decoding: plain.drop { $0 == UInt8(ascii: " ") }, as: UTF8.self))
    }

    /// The last characters of a line, after a mark.
    private static func end(of line: String, bytes: Int) -> String {
        var scalars = Array(line.unicodeScalars)[...]
        var length = line.utf8.count + 3
        while length > bytes, let first = scalars.popFirst() { length -= UTF8.width(first) }
        var text = "…"
        text.unicodeScalars.append(contentsOf: scalars)
        return text
    }
}

extension FileSystem {
    /// The last lines of the run in a job's directory. Nothing is quoted from a file that cannot be read: the quotation must not keep a
    /// job from its place.
    public func errorTail(in directory: String) -> String? {
        for name in [Layout.errorFile, Layout.outputFile] {
            if let text = try? errorTail(ofFile: "\(directory)/\(name)") { return text }  // see above
        }
        return nil
    }

    private func errorTail(ofFile path: String) throws(SystemError) -> String? {
        guard case .file(let file) = try openLines(path) else { return nil }
        return ErrorTail(try file.lastBytes(atMost: ErrorTail.readBytesMax)).text
    }
}
