import Lines
import Testing

@Suite("Lines of texts that others wrote")
struct LinesTests {
    static let forms: [(what: String, text: [UInt8], lines: [String])] = [
        ("LF", Array("a\nb\n".utf8), ["a", "b"]),
        ("CR LF", Array("a\r\nb\r\n".utf8), ["a", "b"]),
        ("both", Array("a\r\nb\nc\r\n".utf8), ["a", "b", "c"]),
        ("no last end", Array("a\nb".utf8), ["a", "b"]),
        ("a CR LF that is cut", Array("a\r\nb\r".utf8), ["a", "b"]),
        ("a byte order mark", [0xEF, 0xBB, 0xBF] + Array("a\nb\n".utf8), ["a", "b"]),
        ("a byte order mark later on is text", Array("a\n\u{FEFF}b\n".utf8), ["a", "\u{FEFF}b"]),
        ("empty lines count", Array("\n\r\na\n\n".utf8), ["", "", "a", ""]),
        ("a CR within a line is text", Array("a\rb\nc\n".utf8), ["a\rb", "c"]),
        ("nothing", [], []),
        ("what Unicode takes for a line's end is none", Array("a\u{2028}b\u{85}c\u{0B}d\n".utf8), ["a\u{2028}b\u{85}c\u{0B}d"]),
    ]

    @Test("Every form of a text has its lines, whole and in pieces", arguments: forms)
    func lines(_ row: (what: String, text: [UInt8], lines: [String])) throws {
        let whole = Array(try Lines(checking: row.text))
        #expect(whole.map { String(decoding: $0.bytes, as: UTF8.self) } == row.lines)
        #expect(whole.map(\.number) == Array(1..<(row.lines.count + 1)))
        for size in 1...5 {
            var reader = LineReader()
            var read: [Lines.Line] = []
            var rest = row.text[...]
            while !rest.isEmpty {
                read += try reader.lines(in: Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
            }
            read += try reader.end()
            #expect(
                read.map { Array($0.bytes) } == whole.map { Array($0.bytes) } && read.map(\.number) == whole.map(\.number),
                "in pieces of \(size)")
        }
    }

    static let refused: [(what: String, text: [UInt8], message: String)] = [
        (
            "UTF-16 with its mark", [0xFF, 0xFE, 0x61, 0, 0x0A, 0],
            "1:1: the file looks like UTF-16, and UTF-8 is expected; convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW"),
        (
            "UTF-16 the other way round", [0xFE, 0xFF, 0, 0x61, 0, 0x0A],
            "1:1: the file looks like UTF-16, and UTF-8 is expected; convert it: iconv -f UTF-16 -t UTF-8 OLD > NEW"),
        (
            "UTF-16LE without", [0x61, 0, 0x0A, 0],
            "1:1: the file looks like UTF-16, and UTF-8 is expected; convert it: iconv -f UTF-16LE -t UTF-8 OLD > NEW"),
        (
            "UTF-16BE without", [0, 0x61, 0, 0x0A],
            "1:1: the file looks like UTF-16, and UTF-8 is expected; convert it: iconv -f UTF-16BE -t UTF-8 OLD > NEW"),
        (
            "UTF-32", [0xFF, 0xFE, 0, 0, 0x61, 0, 0, 0],
            "1:1: the file looks like UTF-32, and UTF-8 is expected; convert it: iconv -f UTF-32 -t UTF-8 OLD > NEW"),
        (
            "CR alone", Array("é\rb\r".utf8),
            "1:2: the lines end with CR alone, and LF or CR LF is expected; convert the file: tr '\\r' '\\n' < OLD > NEW"),
    ]

    @Test("A text that cannot be divided into lines is refused, with the place and a way to convert it", arguments: refused)
    func refuses(_ row: (what: String, text: [UInt8], message: String)) {
        func message(_ error: NotLines) -> String { "\(error.line):\(error.column): \(error.message); \(error.hint)" }
        do throws(NotLines) {
            _ = try Lines(checking: row.text)
            Issue.record("\(row.what) was read")
        } catch { #expect(message(error) == row.message) }
        do throws(NotLines) {
            var reader = LineReader()
            for byte in row.text { _ = try reader.lines(in: [byte]) }
            _ = try reader.end()
            Issue.record("\(row.what) was read in pieces")
        } catch { #expect(message(error) == row.message) }
    }

    @Test("Bytes that are not UTF-8 stay, and are found")
    func bytes() throws {
        let line = try #require(Array(try Lines(checking: Array("é=".utf8) + [0xE9, 0x0A])).first)
        #expect(Array(line.bytes) == Array("é=".utf8) + [0xE9])
        let place = try #require(line.firstInvalid)
        #expect(place == 3 && line.column(of: place) == 3)
        #expect(Lines.Line(number: 1, bytes: Array("é😀".utf8)[...]).firstInvalid == nil)
    }
}
