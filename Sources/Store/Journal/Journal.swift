// The write-ahead journal: the decisions in order, written before any of them has an effect.
//
// Invariants:
// - A segment's first record is `segment`, followed by a snapshot and later records. The newest segment alone contains the state;
//   older ones are history. A segment gets its name only when its snapshot is complete and synced.
// - The sequence numbers in a segment have no gaps, and every line has a checksum.
// - Each commit writes a batch, whose end is marked; see `JournalBatch`. A last batch without its end, or with holes, is the
//   result of a power cut during an append that was never acknowledged: it is cut off and reported. Any other fault is damage:
//   reading stops with the file and line, and a person decides.
// - A daemon only appends to a segment that it has completely written itself: that a segment of another daemon can be read does
//   not prove that it is on the disk. After a failed sync nothing more is written to that file.
// - After a failed append, and at the latest before the next one, the file is cut back to its former length, so that a full disk
//   leaves no torn line in the middle.

import Glibc

/// The reason why a journal cannot be used.
public struct JournalDamage: Error, Sendable, CustomStringConvertible {
    public var file: String
    /// Nil means the whole file.
    public var line: Int?
    public var why: String

    public var description: String { "\(file)\(line.map { ":\($0)" } ?? ""): \(why)" }
}

extension JournalDamage {
    static func checksum(_ file: String, _ line: Int, _ place: String = "") -> JournalDamage {
        JournalDamage(file: file, line: line, why: "the record is damaged: its checksum does not hold\(place)")
    }

    static func kind(_ kind: FileKind, _ file: String) -> JournalDamage {
        JournalDamage(file: file, line: nil, why: "is \(kind.article), not a file: nothing of it was read")
    }

    static func tooLong(_ lines: FileLines, _ file: String, _ line: Int) -> JournalDamage {
        JournalDamage(file: file, line: line, why: "the record is damaged: it is longer than \(lines.lineMax >> 20) MiB")
    }

    static func beyondLimit(_ lines: FileLines, _ file: String, _ line: Int) -> JournalDamage {
        JournalDamage(
            file: file, line: line, why: "more than \(lines.limit >> 20) MiB: root reads no more of another user's file; ask as that user")
    }

    static func empty(_ file: String, _ tornBytes: Int) -> JournalDamage {
        JournalDamage(file: file, line: 1, why: tornBytes == 0 ? "the segment is empty" : "the segment has no whole record")
    }
}

/// A fault of the journal.
public enum JournalError: Error, Sendable, CustomStringConvertible {
    case damage(JournalDamage)
    case system(SystemError)

    public var description: String {
        switch self {
        case .damage(let damage): "\(damage)"
        case .system(let error): "\(error)"
        }
    }
}

public final class Journal<FS: FileSystem> {
    /// A new segment is begun when this many bytes, or twice its snapshot, have been written.
    public static var segmentBytes: Int64 { 8 << 20 }

    let fs: FS
    private var log: FS.Log?
    /// A sync of `log` has failed, so nothing more is written to it.
    private var hasFailed = false
    /// The lines that `open` has read, until `settle` has written them.
    private var unsettled: [UInt8]?
    private var line = JournalLine()
    private var pendingCount: UInt64 = 0
    /// The segment's length before a failed append, which may have left a part of itself.
    private var goodBytes: Int64?
    public private(set) var nextSequence: UInt64 = 1
    public private(set) var segment = ""
    private var rotateAt: Int64 = 0

    public init(_ fs: FS) { self.fs = fs }

    // MARK: Reading

    /// The names of the segments, oldest first.
    public static func segments(_ fs: FS) throws(SystemError) -> [String] {
        try fs.list(Layout.journal).map(\.name)
            .filter { $0.hasSuffix(".log") && !Name.isUnfinished($0) }.sorted()
    }

    /// The format of the newest segment if it is not this program's. Nil when it is, when there is no segment, or when its first
    /// line is damaged, which reading reports better.
    static func foreignFormat(_ fs: FS) throws(SystemError) -> String? {
        guard let newest = try segments(fs).last, case .file(let lines) = try fs.openLines("\(Layout.journal)/\(newest)"),
            case .line(let line) = try lines.next()
        else { return nil }
        guard let fields = JournalFields(line), fields.kind == "segment", let format = fields["format"] else { return nil }
        return Layout.journalFormatsRead.contains(format) ? nil : format
    }

    /// Reads one segment and passes on each of its lines, except those of a torn batch.
    @discardableResult
    public static func read(
        _ fs: FS, segment: String, keepsText: Bool = false, _ body: (JournalFields) -> Void
    ) throws(JournalError) -> SegmentReader<FS> {
        var reader = SegmentReader(fs, segment, keepsText: keepsText)
        while let fields = try reader.next() { body(fields) }
        return reader
    }

    /// Reads the segment of the state. Returns the bytes of a torn tail, which is left out, or nil when there is no journal yet.
    /// No effect may be carried out before ``settle()``.
    public func open(_ body: (JournalFields) -> Void) throws(JournalError) -> Int? {
        do {
            guard let newest = try Self.segments(fs).last else { return nil }
            var format: String?
            let read = try Self.read(fs, segment: newest, keepsText: true) { fields in
                if fields.kind == "segment" { format = fields["format"] }
                body(fields)
            }
            unsettled = read.text
            segment = newest
            nextSequence = read.lastSequence + 1
            // Programs of an older format refuse the segments that are written from now on, by their header.
            rotateAt = format == Layout.journalFormat ? max(Self.segmentBytes, 2 * read.headBytes) : 0
            return read.tornBytes
        } catch let error as SystemError {
            throw .system(error)
        } catch let error as JournalError {
            throw error
        } catch {
            preconditionFailure("the calls above throw nothing else")
        }
    }

    /// Writes the lines that `open` has read to another file, which takes the segment's name, and prepares it for appending.
    ///
    /// The lines may be only in memory: the daemon that wrote them was killed before the sync, or the sync failed. After a failed
    /// sync the kernel marks the data as written and reports the error once. So a later sync of the same file proves nothing.
    public func settle() throws(SystemError) {
        guard let bytes = unsettled else { return }
        log = try fs.placeDurably(bytes, at: "\(Layout.journal)/\(segment)")
        unsettled = nil
    }

    // MARK: Writing

    /// Adds a record to those that the next `commit` writes.
    public func add(_ record: Record, at instant: Instant) {
        line.append(record, sequence: nextSequence, at: instant)
        nextSequence += 1
        pendingCount += 1
    }

    public var hasPending: Bool { pendingCount > 0 }

    /// Writes and syncs the added records as one batch. After an error none of them counts as written, and they are kept for
    /// another call. After a failed sync another journal must be opened.
    public func commit() throws(SystemError) {
        try settle()
        guard pendingCount > 0, let log else { return }
        if hasFailed { throw SystemError(call: "fdatasync", path: "\(Layout.journal)/\(segment)", errno: EIO) }
        try cutBack()
        let before = log.size
        line.endBatch(pendingCount)
        do throws(SystemError) { try log.append(line.bytes) } catch {
            line.reopenBatch()
            goodBytes = before
            try cutBack()
            throw error
        }
        do throws(SystemError) { try log.syncData() } catch {
            hasFailed = true
            // Nobody acts on this batch, so later readers must not take it for decided. If the cut is refused too, the runs that
            // it begins become lost.
            goodBytes = before
            try? cutBack()  // the error of the sync is the one to report
            throw error
        }
        line.empty()
        pendingCount = 0
    }

    private func cutBack() throws(SystemError) {
        guard let goodBytes, let log else { return }
        try log.truncate(to: goodBytes)
        self.goodBytes = nil
    }

    /// True when the segment still has its name: nobody has removed, moved or replaced it.
    public func isInPlace() throws(SystemError) -> Bool {
        guard let log else { return true }
        return try fs.status("\(Layout.journal)/\(segment)")?.inode == log.inode
    }

    /// True when the file has the expected length: nobody has cut it or written to it.
    public func isAsWritten() throws(SystemError) -> Bool {
        guard let log, goodBytes == nil else { return true }
        return try fs.status("\(Layout.journal)/\(segment)")?.size == log.size
    }

    public var wantsRotation: Bool { (log?.size ?? 0) >= rotateAt }

    /// Defers the next segment until this one is twice as large as a snapshot of the present state. An earlier one would only repeat the
    /// snapshot.
    public func allowForSnapshot(ofBytes count: Int64) { if rotateAt > 0 { rotateAt = max(rotateAt, 2 * count) } }

    /// Begins a new segment with a snapshot of the state. The content of older segments must be in the tree or in the snapshot:
    /// the caller has carried out every effect of the committed records.
    public func rotate(snapshot: [(at: Instant, record: Record)], spool: String, at now: Instant) throws(SystemError) {
        precondition(pendingCount == 0)
        try fs.syncAll()
        var text = JournalLine()
        var sequence = nextSequence
        text.beginSegment(sequence: sequence, at: now, spool: spool)
        for entry in snapshot {
            sequence += 1
            text.append(entry.record, sequence: sequence, at: entry.at)
        }
        let digits = String(nextSequence)
        let name = String(repeating: "0", count: max(0, 12 - digits.count)) + digits + ".log"
        let path = "\(Layout.journal)/\(name)"
        text.endBatch(sequence - nextSequence + 1)
        log = try fs.placeDurably(text.bytes, at: path)
        (hasFailed, unsettled, goodBytes) = (false, nil, nil)
        segment = name
        nextSequence = sequence + 1
        rotateAt = max(Self.segmentBytes, 2 * Int64(text.bytes.count))
    }

    /// Removes the oldest segments: those whose last record is older than `before`, and more of them while all segments together have
    /// more than `bytesMax`. The newest segment stays in any case.
    public func prune(before: Instant, bytesMax: Int64) throws(SystemError) {
        var segments: [(path: String, status: FileStatus)] = []
        for name in try Self.segments(fs) {
            let path = "\(Layout.journal)/\(name)"
            if let status = try fs.status(path) { segments.append((path, status)) }
        }
        var bytes = segments.reduce(0) { $0 + $1.status.size }
        for (path, status) in segments.dropLast() {
            guard bytes > bytesMax || status.modifiedNanoseconds / 1_000_000 < before.milliseconds else { return }
            try fs.removeFile(path)
            bytes -= status.size
        }
    }
}

extension FileSystem {
    /// Moves a segment to its place. It is on the disk when this returns.
    func placeDurably(_ bytes: [UInt8], at path: String) throws(SystemError) -> Log {
        try replaceDurably(path, bytes)
        try sync(Layout.journal)
        return try openLog(path)
    }
}

extension JournalLine {
    mutating func beginSegment(sequence: UInt64, at now: Instant, spool: String) {
        begin(sequence: sequence, at: now, "segment")
        field("format", Layout.journalFormat)
        field("spool", spool)
        end()
    }
}
