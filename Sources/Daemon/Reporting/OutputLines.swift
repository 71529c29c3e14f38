import Scheduler
import Store

/// The form of jobs' output on spoold's standard output.
public enum OutputForm: String, Sendable {
    /// A line of output after the task's name and the job's id.
    case stdout
    /// A JSON object for each line.
    case json
}

/// Pieces of jobs' output that wait for a reader, and the lines that are made of them. Pure.
///
/// Invariants:
/// - Lines are made for the next write alone. So the memory is that of the pieces and of about ``batchBytes``, however short the lines are.
/// - Of a piece, each byte is in one place: still to be made into lines, in a line that is not written whole, or written.
/// - A line is written whole before the next one begins. After a line that was given up when a part of it was written, a new line begins.
package struct OutputLines {
    /// Lines are made until they have this size.
    package static let batchBytes = 64 << 10
    /// No piece is taken while this much waits, each piece counted with ``pieceCost``. Each worker has little on its way, but workers end,
    /// and new ones begin, while a reader is stuck.
    package static let waitingBytesMax = 16 << 20
    private static let pieceCost = 256

    /// Lines of a try's output, or a part of a line.
    package struct Piece: Sendable {
        let source: OutputSource
        let stream: String
        let isPartial: Bool
        /// Without the end of the last line.
        let text: [UInt8]
        let takenAt: Instant
        /// The worker that sent the piece. Nil for a notice, which is no output.
        let worker: Int?

        package init(_ source: OutputSource, stream: String, isPartial: Bool, text: [UInt8], takenAt: Instant, worker: Int?) {
            self.source = source
            self.stream = stream
            self.isPartial = isPartial
            self.text = text
            self.takenAt = takenAt
            self.worker = worker
        }

        /// The bytes of output from an index of `text` on.
        func outputBytes(from index: Int = 0) -> Int64 { worker == nil ? 0 : Int64(text.count - index + (isPartial ? 0 : 1)) }
    }

    private let form: OutputForm
    private let isTerminal: Bool
    /// The pieces that are not made into lines. Those before `first` have been.
    private var pieces: [Piece] = []
    private var first = 0
    private var waitingBytes = 0
    /// The beginning of the next line in the first piece.
    private var next = 0
    /// The lines of one write after the other, of which those before `start` are written.
    private var batch: [UInt8] = []
    private var start = 0
    /// The lines that are not written whole: their ends in the batch, and the bytes of output in them. Those before `firstLine` are.
    private var lines: [(end: Int, outputBytes: Int64)] = []
    private var firstLine = 0
    /// True when the last line that was written has no end, because its rest was given up.
    private var isWithinLine = false

    package init(_ form: OutputForm, isTerminal: Bool) {
        self.form = form
        self.isTerminal = isTerminal
    }

    /// True when everything is written.
    package var isEmpty: Bool { isBatchWritten && first == pieces.count }

    package var isBatchWritten: Bool { start == batch.count }

    /// The memory for lines, which is bounded.
    package var batchCount: Int { batch.count }

    /// True when too much waits to take more.
    package var isFull: Bool { waitingBytes >= Self.waitingBytesMax }

    /// True when so little waits that workers may go on whose output was not taken: much less than the most, so that they lose little.
    package var hasRoom: Bool { waitingBytes <= Self.waitingBytesMax / 2 }

    /// The number of notices that wait.
    var noticesCount: Int { pieces[first...].count { $0.worker == nil } }

    package mutating func add(_ piece: Piece) {
        pieces.append(piece)
        waitingBytes += Self.pieceCost + piece.text.count
    }

    // MARK: Writing

    /// Makes the lines of the next write. Called when those of the last one are written. Returns the pieces that are lines now, as the
    /// number of their worker and their size.
    package mutating func makeBatch() -> [(worker: Int, bytes: Int)] {
        batch.removeAll(keepingCapacity: true)
        lines.removeAll(keepingCapacity: true)
        (start, firstLine) = (0, 0)
        if isWithinLine { batch.append(UInt8(ascii: "\n")) }
        var made: [(worker: Int, bytes: Int)] = []
        while first < pieces.count, batch.count < Self.batchBytes {
            let piece = pieces[first]
            let lineEnd = piece.text[next...].firstIndex(of: UInt8(ascii: "\n"))
            add(piece.text[next..<(lineEnd ?? piece.text.count)], of: piece)
            lines.append((batch.count, piece.outputBytes(from: next) - (lineEnd.map { piece.outputBytes(from: $0 + 1) } ?? 0)))
            if let lineEnd {
                next = lineEnd + 1
            } else {
                if let worker = piece.worker { made.append((worker, piece.text.count)) }
                waitingBytes -= Self.pieceCost + piece.text.count
                first += 1
                next = 0
            }
        }
        if first > pieces.count / 2 {
            pieces.removeFirst(first)
            first = 0
        }
        return made
    }

    /// Calls `write` with the lines that are not written.
    package func withUnwritten<Result>(_ write: (UnsafeRawBufferPointer) -> Result) -> Result {
        batch.withUnsafeBytes { write(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    }

    /// The first bytes of the lines that were not written, this many, are written.
    package mutating func wrote(_ count: Int) {
        start += count
        if count > 0 { isWithinLine = false }
        while firstLine < lines.count, lines[firstLine].end <= start { firstLine += 1 }
    }

    /// The pieces that are not lines yet, as the number of their worker and their size.
    var unmade: [(worker: Int, bytes: Int)] { pieces[first...].compactMap { piece in piece.worker.map { ($0, piece.text.count) } } }

    /// Removes everything. Returns the number of bytes of output in lines that were not written whole.
    package mutating func giveUp() -> Int64 {
        let ofLines = lines[firstLine...].reduce(0) { $0 + $1.outputBytes }
        let ofPieces = pieces[first...].reduce(0) { $0 + $1.outputBytes() } - Int64(next)
        let isWithinLine = isWithinLine || start > (firstLine > 0 ? lines[firstLine - 1].end : 0)
        self = Self(form, isTerminal: isTerminal)
        self.isWithinLine = isWithinLine
        return ofLines + ofPieces
    }

    // MARK: One line

    private mutating func add(_ line: ArraySlice<UInt8>, of piece: Piece) {
        let source = piece.source
        switch form {
        case .stdout:
            batch += source.task.utf8
            batch.append(UInt8(ascii: " "))
            batch += source.id.utf8
            if piece.stream != Layout.outputFile {
                batch.append(UInt8(ascii: " "))
                batch += piece.stream.utf8
            }
            batch += ": ".utf8
            if isTerminal { addVisible(line) } else { batch += line }
        case .json:
            var writer = JSONWriter(reserving: line.count + 200)
            writer.beginObject()
            writer.member("time", piece.takenAt)
            writer.member("task", source.task)
            writer.member("id", source.id)
            writer.member("try", source.attempt)
            writer.member("stream", piece.stream)
            writer.member("text", String(decoding: line, as: UTF8.self))
            if piece.isPartial { writer.member("partial", true) }
            writer.endObject()
            batch += writer.bytes
        }
        batch.append(UInt8(ascii: "\n"))
    }

    /// Adds text of which the terminal obeys nothing.
    private mutating func addVisible(_ line: ArraySlice<UInt8>) {
        for scalar in String(decoding: line, as: UTF8.self).unicodeScalars {
            if scalar != "\t", TerminalText.isUnsafe(scalar.value) {
                batch += TerminalText.escape(scalar).utf8
            } else {
                batch += Array(String(Character(scalar)).utf8)
            }
        }
    }
}
