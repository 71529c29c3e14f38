// Reading the status of many records, one after another: three calls for each, into one buffer, and without taking apart what cannot be
// what is asked for.

import CLinux
import Glibc

/// Reads `status.json` of records in `done/` and `failed/`.
///
/// Nothing is followed on the way, neither a link nor a mount, and nothing blocks: a record may be another user's. What cannot be read so
/// is read by ``JobRecords/record(at:)`` with all care, which also says what is wrong with it.
public final class RecordReader {
    private let directories: [(state: JobState, raw: Int32)]
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    private var path: [CChar] = []
    private let user = geteuid()

    init(_ directories: [(state: JobState, raw: Int32)]) { self.directories = directories }

    deinit {
        for directory in directories { close(directory.raw) }
        buffer.deallocate()
    }

    /// The whole of a record's status, as long as `body` runs, and whether the file is this user's own. Nil when it cannot be read so.
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
            // All of it, as a rule, by the first call.
            if read == 0 || count == Int(status.st_size) { break }
        }
        return body(UnsafeRawBufferPointer(start: buffer.baseAddress, count: count), status.st_uid == user)
    }
}

extension UnsafeRawBufferPointer {
    /// Where the bytes stand next, at or behind an offset; nil: nowhere.
    public func firstOffset(of bytes: [UInt8], from start: Int = 0) -> Int? {
        guard let base = baseAddress, start <= count else { return nil }
        return bytes.withUnsafeBytes { wanted in
            linux_memmem(base + start, count - start, wanted.baseAddress!, wanted.count).map { $0 - base }
        }
    }

    public func holds(_ bytes: [UInt8]) -> Bool { firstOffset(of: bytes) != nil }
}

/// What a status must hold somewhere to be what is asked for: of each group, one of its strings. Tells without reading the status as JSON.
public struct StatusNeedles: Sendable {
    private var groups: [[[UInt8]]] = []

    public init() {}

    public var isEmpty: Bool { groups.isEmpty }

    /// One of these strings must be a value, or an entry of a list. None: nothing is asked.
    public mutating func add(anyOf values: [String]) {
        // What JSON may write in several ways is not looked for.
        let special = [UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/")]
        guard !values.isEmpty, values.allSatisfy({ $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !special.contains($0) } })
        else { return }
        groups.append(values.map { Array("\"\($0)\"".utf8) })
    }

    /// False: it cannot be. A status with an escape in it may hold anything.
    public func mayBe(in status: UnsafeRawBufferPointer) -> Bool {
        groups.allSatisfy { group in group.contains(where: status.holds) } || status.contains(UInt8(ascii: "\\"))
    }
}

/// When a record's time is up, as far as a look can tell that does not read the status as JSON.
public struct StayGlance: Sendable {
    private static let end = Array("\"ended_at\":".utf8)
    private static let noStay = Array("\"keep_ms\":null".utf8)
    private let stayMilliseconds: Int64
    private let ownCounts: Bool
    private let now: Instant

    /// - Parameter ownCounts: a record that says itself how long it stays does so.
    public init(stayMilliseconds: Int64, ownCounts: Bool, now: Instant) {
        self.stayMilliseconds = stayMilliseconds
        self.ownCounts = ownCounts
        self.now = now
    }

    /// False: its time is not up.
    public func mayBeOver(_ status: UnsafeRawBufferPointer) -> Bool {
        if ownCounts, !status.holds(Self.noStay) { return true }
        var offset = 0
        while let found = status.firstOffset(of: Self.end, from: offset) {
            offset = found + Self.end.count
            // `"2026-11-21T02:00:00.000Z"`; anything else is left to whoever reads it as JSON.
            let value = status[offset..<Swift.min(offset + 26, status.count)]
            guard value.count == 26, value.first == UInt8(ascii: "\""), let end = Instant(fixed: value.dropFirst().dropLast())
            else { return true }
            if end.advanced(byMilliseconds: stayMilliseconds) <= now { return true }
        }
        // One that does not say when it ended stays, if it says so as it is always said.
        return offset == 0
    }
}
