import Glibc
import Linux
import Store
import WorkerProtocol

/// One output file of one try, read from its beginning on, as far as it goes by now.
///
/// What has not been read is locked, so that the worker keeps it although it is more than `output_limit`. What is missing all the same is
/// told apart from what the job wrote.
final class OutputReader {
    enum Piece {
        case bytes([UInt8])
        /// So many bytes of the job's output are not there any more.
        case missing(Int64)
        /// So many bytes come that nobody wrote, as in a file that was made longer than what is in it: they are zeros.
        case hole(Int64)
        /// The job has cut its output off, and what it wrote afterwards comes next.
        case truncated
    }

    let inode: UInt64
    private let file: FileDescriptor
    /// The job's directory, wherever it is moved.
    private let directory: Directory
    private let cutName: String
    private let jobID: String
    /// Whether the notice in a file that was cut counts as what it stands for, and not as text.
    private let isExact: Bool
    private var position: Int64 = 0

    private static let chunkBytes = 64 << 10

    /// Nil: it is not a regular file. ENOENT: it has not been begun, or has moved on.
    init?(_ directoryPath: String, _ name: String, output: String, attempt: Int, of jobID: String, isExact: Bool) throws(SystemError) {
        directory = try Directory.open(directoryPath)
        file = try directory.openFile(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
        let status = try file.status()
        guard status.kind == .file else { return nil }
        inode = status.inode
        cutName = OutputCut.fileName(of: output, attempt: attempt)
        self.jobID = jobID
        self.isExact = isExact
        lock()
    }

    private func lock() {
        // The worker then takes nobody for a reader, and what it cuts is found to be missing.
        try? file.lockReading(from: position)  // a file system without locks
    }

    /// What comes next; nil when that is all there is by now.
    func next() throws(SystemError) -> Piece? {
        while true {
            let size = try file.status().size
            if size < position {
                position = 0
                lock()
                return .truncated
            }
            var chunk = try file.read(count: Int(min(Int64(Self.chunkBytes), size - position)), at: position)
            if chunk.isEmpty { return nil }
            let chunkBytes = Int64(chunk.count)
            if chunk.count == Self.chunkBytes, chunk.allSatisfy({ $0 == 0 }) {
                // What was cut out is told below.
                var end = min(file.nextData(from: position) ?? size, size)
                if end <= position + chunkBytes { end = position }
                if let place = try gap(size)?.place, place.upperBound > position { end = min(end, max(place.lowerBound, position)) }
                if end > position {
                    defer { position = end }
                    lock()
                    return .hole(end - position)
                }
            }
            // It is looked for after reading: the worker writes it before anything is missing.
            if let (place, missing) = try gap(size), place.overlaps(position..<position + Int64(chunk.count)) {
                guard position < place.lowerBound else {
                    let count = place.count == missing ? place.upperBound - position : missing
                    position = place.upperBound
                    lock()
                    if count > 0 { return .missing(count) }
                    continue
                }
                chunk.removeLast(chunk.count - Int(place.lowerBound - position))
            }
            position += Int64(chunk.count)
            lock()
            return .bytes(chunk)
        }
    }

    private func gap(_ size: Int64) throws(SystemError) -> (place: Range<Int64>, missing: Int64)? {
        let text: [UInt8]
        do throws(SystemError) {
            text = try directory.openFile(cutName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY).readAll(limit: OutputCut.bytesMax)
        } catch {
            if error.errno == ENOENT || error.errno == EFBIG { return nil }  // nothing is missing, or the job has put something there
            throw error
        }
        guard let cut = OutputCut(String(decoding: text, as: UTF8.self)), cut.jobID == jobID, isExact || cut.inode == inode else { return nil }
        let gap = cut.gap(inFileOf: inode)
        // The job has cut off what that was about.
        return gap.place.upperBound > size ? nil : gap
    }
}
