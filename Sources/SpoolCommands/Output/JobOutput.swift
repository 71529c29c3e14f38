import Linux
import Store
import WorkerProtocol

/// Copies one output of a job while the job writes it. Each try has a file of its own, and the last try's file has the plain name.
final class JobOutput {
    /// The purpose decides which tries are copied, and how missing bytes are reported.
    enum Purpose {
        /// Every try in turn, and only bytes that the job wrote. Missing bytes are counted.
        case exact
        /// The last try, or try N, and then later tries. A line in the output reports missing bytes.
        case reading(attempt: Int?)
    }

    /// `stdout` or `stderr`.
    let file: String
    private let session: Session
    private let purpose: Purpose
    private let sink: Output
    /// The lines of the sink, when several outputs share it.
    private let lines: LogLines?
    /// The number of lines at the end of the first file that are copied; nil for all.
    private var lastLines: Int?
    /// The number of bytes of these lines that are copied at most; nil for all.
    private let lastBytes: Int64?
    /// The file that is copied, and its try.
    private var open: (reader: OutputReader, attempt: Int)?
    /// The number of bytes that were removed before they could be copied.
    private(set) var missingBytes: Int64 = 0

    init(
        _ session: Session, _ file: String, for purpose: Purpose, to sink: Output, lines: LogLines? = nil, lastLines: Int? = nil,
        lastBytes: Int64? = nil
    ) {
        self.session = session
        self.file = file
        self.purpose = purpose
        self.sink = sink
        self.lines = lines
        self.lastLines = lastLines
        self.lastBytes = lastBytes
    }

    /// True when nothing has been written to the file that is open, or none is.
    var isEmpty: Bool { open?.reader.isEmpty ?? true }

    /// Opens the first output, so that the worker keeps it until it is copied.
    func begin(_ record: JobRecord, _ watch: JobWatch?) throws(Failure) {
        guard open == nil, let attempt = attempts(record).first, let reader = try reader(record, attempt, watch) else { return }
        open = (reader, attempt)
    }

    /// Copies the output that exists now. `record` is the job's present record. `watch` wakes the command when more is written.
    func follow(_ record: JobRecord, _ watch: JobWatch?) throws(Failure) {
        for attempt in attempts(record) {
            guard let next = try reader(record, attempt, watch) else { continue }
            if open != nil { try copy() }
            open = (next, attempt)
            if attempt < record.status.attempt { try copy() }
        }
        try copy()
    }

    /// Passes the output that exists now to `take`, piece by piece. `record` is the job's present record.
    func read(_ record: JobRecord, _ take: ([UInt8]) -> Void) throws(Failure) {
        try begin(record, nil)
        try pieces { piece in
            switch piece {
            case .bytes(let chunk): take(chunk)
            case .missing(let count): take(Array(Self.remark(count).utf8))
            case .hole(let count): take(Array(Self.remark(hole: count).utf8))
            case .truncated: break
            }
        }
    }

    /// Copies the output that was written since the last call.
    func copy() throws(Failure) {
        try pieces { piece in
            switch (piece, purpose) {
            case (.bytes(let chunk), _): put(chunk)
            case (.missing(let count), .exact): missingBytes = missingBytes.addingSaturated(count)
            case (.hole(let count), .exact): writeZeros(count)
            case (.hole(let count), .reading): put(Array(Self.remark(hole: count).utf8))
            case (.missing(let count), .reading): put(Array(Self.remark(count).utf8))
            case (.truncated, _):
                sink.flush()
                session.complain("\(file): the job has truncated this output; what it writes now follows")
            }
        }
        sink.flush()
    }

    private func put(_ bytes: [UInt8]) {
        if let lines { lines.write(bytes, of: file) } else { sink.writeOutput(bytes, raw: session.arguments.flag("raw")) }
    }

    private static func remark(_ count: Int64) -> String { "\n[spoolctl: \(count) bytes are missing here; see output_limit in spool(5)]\n" }

    private static func remark(hole count: Int64) -> String {
        "\n[spoolctl: the file has a hole of \(count) bytes here, which were never written]\n"
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
        // Without a reader there is nothing to copy.
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

    /// Opens the output of a try; nil when it is open already, or does not exist yet.
    private func reader(_ record: JobRecord, _ attempt: Int, _ watch: JobWatch?) throws(Failure) -> OutputReader? {
        guard !record.place.isFile, attempt > 0, open?.attempt != attempt else { return nil }
        var names = [file]
        // The last try's file has no number. An earlier try's file has the try's number, counted from the first try of the jobs that this
        // job retries: their outputs are in this job's directory too.
        let numbered = "\(file).\(record.status.earlierTries + attempt)"
        if attempt < record.status.attempt { names = [numbered] } else if record.place.state == .new { names.insert(numbered, at: 0) }
        for name in names {
            do throws(SystemError) {
                let reader = try OutputReader(
                    "\(session.spoolPath)/\(record.place.path)", name, output: file, attempt: attempt, of: record.place.id,
                    isExact: isExact)
                guard let reader else { return nil }
                // The plain name still leads to the file that is open.
                if reader.inode == open?.reader.inode { return nil }
                if let lastLines { try reader.skip(toLast: lastLines, bytes: lastBytes) }
                lastLines = nil
                watch?.add("\(record.place.path)/\(name)")
                return reader
            } catch {
                // The try has not begun, or the job has moved: the next call finds the file.
                if error.errno != SystemError.noSuchFile { throw Failure(error) }
            }
        }
        return nil
    }

    private var isExact: Bool { if case .exact = purpose { true } else { false } }
}
