// Reads the lines of a file of the spool itself, in pieces.
//
// Contract:
// - Memory is needed for one piece and the longest line, whatever the size of the file. A line that is longer than spoold ever
//   writes is skipped, and so is a line with a hole. The holes of a sparse file cost nothing.
// - The file is read up to its length at opening, even if a process appends to it without end.
// - Root reads at most `limit` bytes of another user's file: see ``FileSystem/readingMax``.

import Glibc

/// The result of looking for a file of the spool itself.
public enum OpenedFile {
    case file(FileLines)
    case other(FileKind)
    case missing
}

public final class FileLines {
    public enum Next {
        /// A line without its newline. The bytes are valid until the next call.
        case line(UnsafeBufferPointer<UInt8>)
        /// A line longer than spoold ever writes was skipped.
        case tooLong
        /// The limit was reached. The rest is not read.
        case beyondLimit
        /// This many bytes follow the last newline.
        case end(tornBytes: Int)
    }

    /// Longer than any record: the longest records contain the text of a job, or the paths of a hundred thousand files.
    static let lineMax = 1 << 30
    private static let pieceBytes = 1 << 20

    public let limit: Int64
    /// The start of the next line, in bytes from the file's beginning.
    public private(set) var offset: Int64
    let size: Int64
    private let read: (UnsafeMutableRawBufferPointer, Int64) throws(SystemError) -> Int
    private let nextData: (Int64) -> Int64?
    let lineMax: Int
    private var buffer: UnsafeMutableRawPointer
    private var capacity = 0
    private var start = 0
    private var end = 0
    private var readBytes: Int64 = 0

    /// - Parameters:
    ///   - offset: the start of the reading.
    ///   - nextData: the next bytes at or after an offset that are not a hole. Nil when there are none.
    init(
        size: Int64, from offset: Int64 = 0, limit: Int64, lineMax: Int = FileLines.lineMax, nextData: @escaping (Int64) -> Int64?,
        read: @escaping (UnsafeMutableRawBufferPointer, Int64) throws(SystemError) -> Int
    ) {
        self.size = size
        self.offset = offset
        self.limit = limit
        self.lineMax = lineMax
        self.read = read
        self.nextData = nextData
        capacity = Int(min(Int64(Self.pieceBytes), max(1, size - offset)))
        buffer = malloc(capacity)!
    }

    /// Reads the lines of bytes in memory.
    convenience init(_ bytes: [UInt8], from offset: Int64 = 0) {
        self.init(size: Int64(bytes.count), from: offset, limit: .max, nextData: { $0 }) { (piece, offset) throws(SystemError) in
            let count = min(piece.count, bytes.count - Int(offset))
            bytes.withUnsafeBytes { piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + count])) }
            return count
        }
    }

    deinit { free(buffer) }

    /// The end of the file, without its lines, at most this many bytes. Nothing was read before.
    func lastBytes(atMost count: Int) throws(SystemError) -> [UInt8] {
        let wanted = Int(min(size, Int64(count)))
        let begin = size - Int64(wanted)
        let place = UnsafeMutableRawBufferPointer.allocate(byteCount: wanted, alignment: 1)
        defer { place.deallocate() }
        var done = 0
        while done < wanted {
            let some = try read(UnsafeMutableRawBufferPointer(rebasing: place[done...]), begin + Int64(done))
            guard some > 0 else { break }
            done += some
        }
        return Array(place[..<done])
    }

    public func next() throws(SystemError) -> Next {
        var searched = start
        while true {
            if let found = newline(from: searched) { return .line(take(upTo: found)) }
            searched = end
            if end - start > lineMax || isBeforeHole { return try passOver() }
            if readBytes > limit { return .beyondLimit }
            let before = start
            guard try fill() else { return .end(tornBytes: end - start) }
            searched -= before - start
        }
    }

    /// A hole follows a full buffer. No line that spoold writes has one.
    private var isBeforeHole: Bool {
        let place = offset + Int64(end - start)
        guard end == capacity, place < size else { return false }
        guard let data = nextData(place) else { return true }
        return data - place >= Int64(Self.pieceBytes)
    }

    private func newline(from index: Int) -> Int? {
        guard index < end, let found = memchr(buffer + index, 0x0A, end - index) else { return nil }
        return UnsafeRawPointer(found) - UnsafeRawPointer(buffer)
    }

    private func take(upTo newline: Int) -> UnsafeBufferPointer<UInt8> {
        let line = UnsafeRawBufferPointer(start: buffer + start, count: newline - start).assumingMemoryBound(to: UInt8.self)
        offset += Int64(newline + 1 - start)
        start = newline + 1
        return line
    }

    /// Returns false at the end.
    private func fill() throws(SystemError) -> Bool {
        if start > 0 {
            memmove(buffer, buffer + start, end - start)
            end -= start
            start = 0
        }
        if end == capacity {
            capacity *= 2
            buffer = realloc(buffer, capacity)!
        }
        let place = offset + Int64(end)
        let room = Int(min(Int64(capacity - end), size - place))
        guard room > 0 else { return false }
        let count = try read(UnsafeMutableRawBufferPointer(start: buffer + end, count: room), place)
        end += count
        readBytes += Int64(count)
        return count > 0
    }

    /// Searches for the end of a line without keeping the line.
    private func passOver() throws(SystemError) -> Next {
        var place = offset + Int64(end)
        let begin = offset
        start = 0
        end = 0
        while place < size, let data = nextData(place), data < size {
            if readBytes > limit { return .beyondLimit }
            let count = try read(UnsafeMutableRawBufferPointer(start: buffer, count: Int(min(Int64(Self.pieceBytes), size - data))), data)
            guard count > 0 else { break }
            readBytes += Int64(count)
            end = count
            if let found = newline(from: 0) {
                start = found + 1
                offset = data + Int64(start)
                return .tooLong
            }
            end = 0
            place = data + Int64(count)
        }
        offset = size
        return .end(tornBytes: Int(size - begin))
    }
}

extension FileSystem {
    public func openLines(_ path: String, from offset: Int64) throws(SystemError) -> OpenedFile {
        switch try take(path, limit: Int.max - 1, ignoringWriters: true) {
        case .file(_, let bytes): .file(FileLines(bytes, from: offset))
        case .other(let kind): .other(kind)
        default: .missing
        }
    }

    public func openLines(_ path: String) throws(SystemError) -> OpenedFile { try openLines(path, from: 0) }

    /// Gives a file a second name. Returns false when that name belongs to another file.
    public func keep(_ path: String, as name: String) throws(SystemError) -> Bool {
        let limit = Int.max - 1
        guard case .file(_, let bytes) = try take(path, limit: limit, ignoringWriters: true) else {
            throw SystemError(call: "read", path: path, errno: ENOENT)
        }
        if case .file(_, let other) = try take(name, limit: limit, ignoringWriters: true) { return other == bytes }
        try create(name, bytes, mode: 0o600)
        return true
    }
}
