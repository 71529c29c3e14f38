import Glibc
import Linux
import Store
import WorkerProtocol

/// Reads one output file of one try, from its beginning to its present end.
///
/// The unread part is locked, so that the worker keeps it although it exceeds `output_limit`. Bytes that are missing all the same are
/// distinguished from bytes that the job wrote.
final class OutputReader {
    enum Piece {
        case bytes([UInt8])
        /// This many bytes of the job's output were removed.
        case missing(Int64)
        /// A hole of this many bytes, which were never written and read as zeros.
        case hole(Int64)
        /// The job has truncated its output. The bytes that it wrote afterwards come next.
        case truncated
    }

    let inode: UInt64
    private let file: FileDescriptor
    /// The job's directory, which stays open when the job moves.
    private let directory: Directory
    private let cutName: String
    private let jobID: String
    /// True when the notice in a cut file counts as missing bytes, and not as text.
    private let isExact: Bool
    private var position: Int64 = 0

    private static let chunkBytes = 64 << 10

    /// Nil when the file is not a regular file. Throws ENOENT when the try has not begun, or the job has moved.
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
        // Without a lock the worker may remove unread bytes, which are then reported as missing.
        try? file.lockReading(from: position)  // a file system without locks
    }

    /// True when the file is empty; a file that cannot be examined is not.
    var isEmpty: Bool { (try? file.status().size) == 0 }

    /// The number of bytes that are searched for lines. A file with holes can be very long.
    private static let searchedBytesMax: Int64 = 256 << 20

    /// Leaves out all but the last lines of the present file, and of these all but the last `bytes`. Called before anything is read.
    func skip(toLast lines: Int, bytes: Int64? = nil) throws(SystemError) {
        let size = try file.status().size
        let first = max(0, size - (bytes ?? Self.searchedBytesMax))
        var count = 0
        var end = size
        position = lines == 0 ? size : first
        while lines > 0, end > first {
            let begin = max(first, end - Int64(Self.chunkBytes))
            let chunk = try file.read(count: Int(end - begin), at: begin)
            // The last line feed ends the last line and begins no other.
            for index in chunk.indices.reversed() where chunk[index] == UInt8(ascii: "\n") && begin + Int64(index) != size - 1 {
                count += 1
                guard count == lines else { continue }
                position = begin + Int64(index) + 1
                return lock()
            }
            end = begin
        }
        lock()
    }

    /// The next piece; nil at the present end of the file.
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
                // A gap that the worker cut is handled below.
                var end = min(file.nextData(from: position) ?? size, size)
                if end <= position + chunkBytes { end = position }
                if let place = try gap(size)?.place, place.upperBound > position { end = min(end, max(place.lowerBound, position)) }
                if end > position {
                    defer { position = end }
                    lock()
                    return .hole(end - position)
                }
            }
            // The record of a gap is read after the bytes: the worker writes the record before it removes bytes.
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
            if error.errno == ENOENT || error.errno == EFBIG { return nil }  // nothing was cut, or the job has put another file there
            throw error
        }
        guard let cut = OutputCut(String(decoding: text, as: UTF8.self)), cut.jobID == jobID, isExact || cut.inode == inode else {
            return nil
        }
        let gap = cut.gap(inFileOf: inode)
        // The job has truncated the file since the gap was recorded.
        return gap.place.upperBound > size ? nil : gap
    }
}
