import Linux
import Store

/// One of a job's outputs, copied as it is written; with each try its name comes to mean another file.
final class JobOutput {
    /// What is copied of a job that is tried more than once, and what becomes of bytes that are not there any more.
    enum Purpose {
        /// Every try in turn, and nothing but what the job wrote: what is missing is counted.
        case exact
        /// The last try, or try N, and then those that follow: a line says what is missing.
        case reading(attempt: Int?)
    }

    private let session: Session
    private let file: String
    private let purpose: Purpose
    private let sink: Output
    /// What is being copied.
    private var open: (reader: OutputReader, attempt: Int)?
    /// Bytes of the job's output that were not there any more when they were to be copied.
    private(set) var missingBytes: Int64 = 0

    /// `file`: `stdout` or `stderr`.
    init(_ session: Session, _ file: String, for purpose: Purpose, to sink: Output) {
        self.session = session
        self.file = file
        self.purpose = purpose
        self.sink = sink
    }

    /// Opens the first output, so that the worker keeps it until it was copied.
    func begin(_ record: JobRecord, _ watch: JobWatch?) throws(Failure) {
        guard open == nil, let attempt = attempts(record).first, let reader = try reader(record, attempt, watch) else { return }
        open = (reader, attempt)
    }

    /// Copies what is there by now of the job that was just seen there. With a `watch`, more of it wakes that.
    func follow(_ record: JobRecord, _ watch: JobWatch?) throws(Failure) {
        for attempt in attempts(record) {
            guard let next = try reader(record, attempt, watch) else { continue }
            if open != nil { try copy() }
            open = (next, attempt)
            if attempt < record.status.attempt { try copy() }
        }
        try copy()
    }

    /// Hands on what is there by now of the job that was just seen there, piece by piece.
    func read(_ record: JobRecord, _ take: ([UInt8]) -> Void) throws(Failure) {
        for attempt in attempts(record) { open = try reader(record, attempt, nil).map { ($0, attempt) } }
        try pieces { piece in
            switch piece {
            case .bytes(let chunk): take(chunk)
            case .missing(let count): take(Array(Self.remark(count).utf8))
            case .hole(let count): take(Array(Self.remark(hole: count).utf8))
            case .truncated: break
            }
        }
    }

    /// Copies what has come since.
    func copy() throws(Failure) {
        try pieces { piece in
            switch (piece, purpose) {
            case (.bytes(let chunk), _): sink.writeOutput(chunk, raw: session.arguments.flag("raw"))
            case (.missing(let count), .exact): missingBytes += count
            case (.hole(let count), .exact): writeZeros(count)
            case (.hole(let count), .reading): sink.write(Self.remark(hole: count))
            case (.missing(let count), .reading): sink.write(Self.remark(count))
            case (.truncated, _):
                sink.flush()
                session.complain("\(file): the job has truncated it; what it writes now follows")
            }
        }
        sink.flush()
    }

    private static func remark(_ count: Int64) -> String { "\n[spoolctl: \(count) bytes are left out here; see output_limit in spool(5)]\n" }

    private static func remark(hole count: Int64) -> String {
        "\n[spoolctl: the file has a hole of \(count) bytes here, which nobody wrote]\n"
    }

    private func writeZeros(_ count: Int64) {
        var rest = count
        while rest > 0, sink.failure == nil {
            let some = Int(min(rest, 64 << 10))
            sink.write(bytes: repeatElement(0, count: some))
            rest -= Int64(some)
        }
    }

    private func pieces(_ take: (OutputReader.Piece) -> Void) throws(Failure) {
        guard let reader = open?.reader else { return }
        // Who has no reader any more needs no more bytes.
        while sink.failure == nil, let piece = try attempt({ () throws(SystemError) in try reader.next() }) { take(piece) }
    }

    /// The tries to open now, in order.
    private func attempts(_ record: JobRecord) -> ClosedRange<Int> {
        let last = record.status.attempt
        switch purpose {
        case .exact: return min(last, (open?.attempt ?? 0) + 1)...last
        case .reading(let wanted?): return wanted...wanted
        case .reading(nil): return last...last
        }
    }

    /// Opens the output of a try, when it is another than the one that is open.
    private func reader(_ record: JobRecord, _ attempt: Int, _ watch: JobWatch?) throws(Failure) -> OutputReader? {
        guard !record.place.isFile, attempt > 0, open?.attempt != attempt else { return nil }
        var names = [file]
        // The last try's output has no number; that of an earlier one has its own.
        // After those of the jobs that it repeats, whose output it has brought along.
        let numbered = "\(file).\(record.status.earlierTries + attempt)"
        if attempt < record.status.attempt { names = [numbered] } else if record.place.state == .new { names.insert(numbered, at: 0) }
        for name in names {
            do throws(SystemError) {
                let reader = try OutputReader(
                    "\(session.spoolPath)/\(record.place.path)", name, output: file, attempt: attempt, of: record.place.id,
                    isExact: isExact)
                guard let reader else { return nil }
                // Seen before the try was.
                if reader.inode == open?.reader.inode { return nil }
                watch?.add("\(record.place.path)/\(name)")
                return reader
            } catch {
                // Not begun, or moved on meanwhile: the next look finds it.
                if error.errno != SystemError.noSuchFile { throw Failure(error) }
            }
        }
        return nil
    }

    private var isExact: Bool { if case .exact = purpose { true } else { false } }
}
