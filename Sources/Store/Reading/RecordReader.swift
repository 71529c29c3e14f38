// Reads the status of many records: three calls for each, into one buffer, and without decoding those that cannot match the
// question.

import CLinux
import Glibc

/// Reads the `status.json` of records in `done/` and `failed/`.
///
/// No link or mount is followed, and nothing blocks: a record may belong to another user. A record that cannot be read this way
/// is read by ``JobRecords/record(at:)`` with all checks, which also report its faults.
public final class RecordReader {
    private let directories: [(state: JobState, raw: Int32)]
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    private var path: [CChar] = []
    private let user = Reader.user

    init(_ directories: [(state: JobState, raw: Int32)]) { self.directories = directories }

    deinit {
        for directory in directories { close(directory.raw) }
        buffer.deallocate()
    }

    /// The answers of `look` for the statuses of these places, as they are written. True for a job that has not ended, and where a status
    /// cannot be read this way.
    public func looks(at places: ArraySlice<JobPlace>, _ look: (UnsafeRawBufferPointer) -> Bool) -> [Bool] {
        places.map { place in withStatus(at: place) { status, _ in look(status) } ?? true }
    }

    /// Passes the whole status of a record to `body`, and whether the file belongs to this user. Returns nil when it cannot be
    /// read this way.
    func withStatus<Result>(at place: JobPlace, _ body: (_ status: UnsafeRawBufferPointer, _ isOwn: Bool) -> Result) -> Result? {
        guard !place.isFile, let directory = directories.first(where: { $0.state == place.state })?.raw else { return nil }
        path.removeAll(keepingCapacity: true)
        for byte in place.id.utf8 { path.append(CChar(bitPattern: byte)) }
        for byte in "/status.json".utf8 { path.append(CChar(bitPattern: byte)) }
        path.append(0)
        var how = open_how()
        how.flags = UInt64(O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
        how.resolve = UInt64(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV)
        let file = linux_openat2(directory, path, &how)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size < buffer.count else { return nil }
        var count = 0
        while true {
            let read = Glibc.read(file, buffer.baseAddress! + count, buffer.count - count)
            if read < 0, errno == EINTR { continue }
            guard read >= 0, count + read < buffer.count else { return nil }
            count += read
            // Usually the first call reads all of it.
            if read == 0 || count == Int(status.st_size) { break }
        }
        return body(UnsafeRawBufferPointer(start: buffer.baseAddress, count: count), status.st_uid == user)
    }
}

extension UnsafeRawBufferPointer {
    /// The next bytes at or after an offset that are not a hole. Nil when there are none.
    public func firstOffset(of bytes: [UInt8], from start: Int = 0) -> Int? {
        guard let base = baseAddress, start <= count else { return nil }
        return bytes.withUnsafeBytes { wanted in
            linux_memmem(base + start, count - start, wanted.baseAddress!, wanted.count).map { $0 - base }
        }
    }

    public func holds(_ bytes: [UInt8]) -> Bool { firstOffset(of: bytes) != nil }
}

/// The strings that a status must contain to match a question: one string of each group. The check does not decode the JSON.
public struct StatusNeedles: Sendable {
    private var groups: [[[UInt8]]] = []

    public init() {}

    public var isEmpty: Bool { groups.isEmpty }

    /// One of these strings must be a value or an entry of a list. An empty list adds no condition.
    public mutating func add(anyOf values: [String]) {
        // Strings that JSON can write in several ways are not searched.
        let special = [UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/")]
        guard !values.isEmpty, values.allSatisfy({ $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !special.contains($0) } })
        else { return }
        groups.append(values.map { Array("\"\($0)\"".utf8) })
    }

    /// Returns false when the status cannot match. A status with an escape may contain any string.
    public func mayBe(in status: UnsafeRawBufferPointer) -> Bool {
        groups.allSatisfy { group in group.contains(where: status.holds) }
            || status.baseAddress.map { memchr($0, Int32(UInt8(ascii: "\\")), status.count) != nil } ?? false
    }
}

/// The end of a record's stay, as far as it can be found without decoding the JSON.
public struct StayGlance: Sendable {
    private static let end = Array("\"ended_at\":".utf8)
    private static let noStay = Array("\"keep_ms\":null".utf8)
    private let stayMilliseconds: Int64
    private let ownCounts: Bool
    private let now: Instant

    /// - Parameter ownCounts: a record's own time for its stay applies.
    public init(stayMilliseconds: Int64, ownCounts: Bool, now: Instant) {
        self.stayMilliseconds = stayMilliseconds
        self.ownCounts = ownCounts
        self.now = now
    }

    /// Returns false when the time is not up.
    public func mayBeOver(_ status: UnsafeRawBufferPointer) -> Bool {
        if ownCounts, !status.holds(Self.noStay) { return true }
        var offset = 0
        while let found = status.firstOffset(of: Self.end, from: offset) {
            offset = found + Self.end.count
            // `"2026-11-21T02:00:00.000Z"`. Any other form is left to the JSON reader.
            let value = status[offset..<Swift.min(offset + 26, status.count)]
            guard value.count == 26, value.first == UInt8(ascii: "\""), let end = Instant(fixed: value.dropFirst().dropLast())
            else { return true }
            if end.advanced(byMilliseconds: stayMilliseconds) <= now { return true }
        }
        // A record without an end stays, if it has the usual form of a record without an end.
        return offset == 0
    }
}
