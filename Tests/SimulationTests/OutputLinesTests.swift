import Daemon
import Scheduler
import Testing

@Suite struct OutputLinesTests {
    private static let source = OutputSource(id: "20261121T020000.000Z-report-k3f9", attempt: 2, task: "report")

    private func piece(_ text: String, isPartial: Bool = false, worker: Int? = 7) -> OutputLines.Piece {
        OutputLines.Piece(
            Self.source, stream: "stdout", isPartial: isPartial, text: Array(text.utf8), takenAt: Instant(milliseconds: 0), worker: worker)
    }

    /// Writes everything, this many bytes at a time.
    private func written(_ lines: inout OutputLines, bytesAtOnce: Int = .max) -> String {
        var all: [UInt8] = []
        while !lines.isEmpty {
            if lines.isBatchWritten { _ = lines.makeBatch() }
            let some = lines.withUnwritten { Array($0.prefix(bytesAtOnce)) }
            all += some
            lines.wrote(some.count)
        }
        return String(decoding: all, as: UTF8.self)
    }

    static let texts: [(text: String, lines: [String])] = [
        ("", [""]), ("one", ["one"]), ("one\n", ["one", ""]), ("\n\n", ["", "", ""]), ("one\ntwo", ["one", "two"]), ("\none", ["", "one"]),
    ]

    @Test("W5: each line of a piece is written after its source, whatever is written at once", arguments: texts, [1, 7, .max])
    func lines(_ row: (text: String, lines: [String]), bytesAtOnce: Int) {
        var lines = OutputLines(.stdout, isTerminal: false)
        for _ in 0..<3 { lines.add(piece(row.text)) }
        let expected = (row.lines + row.lines + row.lines).map { "report \(Self.source.id): \($0)\n" }.joined()
        #expect(written(&lines, bytesAtOnce: bytesAtOnce) == expected)
    }

    @Test("W5: after a line whose rest was given up, the next line begins at its own beginning", arguments: [0, 5, 20, .max])
    func broken(writtenBytes: Int) {
        var lines = OutputLines(.stdout, isTerminal: false)
        lines.add(piece("given up"))
        _ = lines.makeBatch()
        let count = min(writtenBytes, lines.batchCount)
        lines.wrote(count)
        let isBroken = count > 0 && !lines.isBatchWritten
        let leftOut = lines.giveUp()
        #expect(leftOut == (writtenBytes == .max ? 0 : 9) && lines.isEmpty)
        lines.add(piece("next"))
        let text = written(&lines)
        #expect(text == "\(isBroken ? "\n" : "")report \(Self.source.id): next\n")
    }

    @Test("W5: the memory is that of the pieces and of one write, however short the lines are")
    func memory() {
        var lines = OutputLines(.json, isTerminal: false)
        // 11 MB of JSON.
        for worker in 0..<2 { lines.add(piece(String(repeating: "\n", count: 32 << 10), worker: worker)) }
        var confirmed: [Int] = []
        var count = 0
        while !lines.isEmpty {
            confirmed += lines.makeBatch().map(\.worker)
            #expect(lines.batchCount < OutputLines.batchBytes + 1000)
            count += lines.batchCount
            lines.wrote(lines.batchCount)
        }
        #expect(count > 8 << 20)
        #expect(confirmed == [0, 1], "each piece is confirmed once")
        // A line of control characters, the longest form there is.
        lines.add(piece(String(repeating: "\u{1}", count: 32 << 10), isPartial: true))
        _ = lines.makeBatch()
        #expect(lines.batchCount < 6 * (32 << 10) + 1000)
    }

    @Test("W5: while a reader is stuck, a bounded number of bytes waits, however many workers come and go and however short pieces are",
        arguments: ["", String(repeating: "x", count: 32 << 10)])
    func stuck(_ text: String) {
        var lines = OutputLines(.stdout, isTerminal: false)
        var count = 0
        while !lines.isFull, count < 1_000_000 {
            lines.add(piece(text, worker: count))
            count += 1
        }
        #expect(count * text.utf8.count < OutputLines.waitingBytesMax + 32 << 10 && count <= 1 << 16)
        #expect(!lines.hasRoom)
        var made = 0
        while !lines.isEmpty {
            made += lines.makeBatch().count
            lines.wrote(lines.batchCount)
            #expect(!lines.isFull && lines.hasRoom == (2 * made >= count), "workers go on when half is written")
        }
        lines.add(piece(text))
        #expect(lines.giveUp() > 0 && !lines.isFull)
    }

    @Test("W5: what is given up is counted: each byte of output that is in no line that was written whole")
    func count() {
        var lines = OutputLines(.stdout, isTerminal: false)
        lines.add(piece("ab\ncd\nef"))
        lines.add(piece("a notice", worker: nil))
        lines.add(piece("part", isPartial: true))
        let prefix = "report \(Self.source.id): ".utf8.count
        var untouched = lines
        #expect(untouched.giveUp() == 13)
        #expect(untouched.isEmpty)
        _ = lines.makeBatch()
        lines.wrote(2 * prefix + 5)
        var cut = lines
        #expect(cut.giveUp() == 10, "the second line lacks its end")
        lines.wrote(1)
        #expect(lines.giveUp() == 7)
        // In the middle of a piece.
        lines.add(piece(String(repeating: "\n", count: 9999)))
        _ = lines.makeBatch()
        lines.wrote((prefix + 1) * 10)
        #expect(lines.giveUp() == 9990)
    }
}
