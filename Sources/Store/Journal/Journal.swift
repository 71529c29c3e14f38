// The write-ahead journal: what was decided, in order, before anything is moved because of it.
//
// Invariants:
// - A segment's first record is `segment`, then a snapshot, then what came since. The newest segment alone is the state;
//   older ones are history. A segment appears under its name only when its snapshot is complete and synced.
// - Sequence numbers of a segment follow one another without a gap, and every line carries its checksum.
// - What one commit writes is a batch, whose end is marked; see `JournalBatch`. A last batch without its end, or with holes, is what a
//   power cut leaves of an append that was never acknowledged: it is cut off, and said. Anything else that does not hold is damage: reading
//   stops with file and line, and a person decides.
// - A daemon goes on with a segment that it has written itself, whole: what another has written and not synced is not on the disk for being
//   read. After a failed sync nothing more is written to that file.
// - After a failed append, and at the latest before the next one, the file is cut back to what was there before, so a full disk
//   leaves no torn line in the middle.

import Glibc

/// Why a journal cannot be used.
public struct JournalDamage: Error, Sendable, CustomStringConvertible {
    public var file: String
    /// Nil: it is the whole file.
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

/// What went wrong with the journal.
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
    /// A new segment is begun when this much, or twice its snapshot, has been written.
    public static var segmentBytes: Int64 { 8 << 20 }

    let fs: FS
    private var log: FS.Log?
    /// A sync of `log` has failed: nothing more is written to it.
    private var hasFailed = false
    /// What `open` has read, until `settle` has written it.
    private var unsettled: [UInt8]?
    private var line = JournalLine()
    private var pendingCount: UInt64 = 0
    /// How long the segment was before an append that failed and may have left a part of itself.
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

    /// The format of the newest segment when it is another than this program's; nil when it is not, there is none, or its first
    /// line is damaged, which reading it tells better.
    static func foreignFormat(_ fs: FS) throws(SystemError) -> String? {
        guard let newest = try segments(fs).last, case .file(let lines) = try fs.openLines("\(Layout.journal)/\(newest)"),
            case .line(let line) = try lines.next()
        else { return nil }
        guard let fields = JournalFields(line), fields.kind == "segment", let format = fields["format"] else { return nil }
        return Layout.journalFormatsRead.contains(format) ? nil : format
    }

    /// Reads one segment and hands each of its lines on, those of a torn batch excepted.
    @discardableResult
    public static func read(
        _ fs: FS, segment: String, keepsText: Bool = false, _ body: (JournalFields) -> Void
    ) throws(JournalError) -> SegmentReader<FS> {
        var reader = SegmentReader(fs, segment, keepsText: keepsText)
        while let fields = try reader.next() { body(fields) }
        return reader
    }

    /// Reads the state's segment. Returns the bytes of a torn tail, which is left out; nil when there is no journal yet. Nothing is to be
    /// done because of what was read before ``settle()``.
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
            // What is written from now on is refused by the programs of an older format, by the header of its segment.
            rotateAt = format == Layout.journalFormat ? max(Self.segmentBytes, read.offset) : 0
            return read.tornBytes
        } catch let error as SystemError {
            throw .system(error)
        } catch let error as JournalError {
            throw error
        } catch {
            preconditionFailure("the calls above throw nothing else")
        }
    }

    /// Writes what `open` has read to another file, which takes the segment's name, and makes ready to append to it.
    ///
    /// What was read may be in memory alone: the daemon that wrote it was killed before it synced it, or that sync failed. The kernel
    /// counts as written what a failed sync could not write, and tells the error once. So a sync of the file that was read proves nothing.
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

    /// Writes and syncs what was added, as one batch. After an error nothing of it counts as written and it is kept for another call; after
    /// a failed sync another journal must be opened.
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
            // Nobody acts on it, so whoever reads it next should not take it for decided. Where that is refused too, what it says has begun
            // is lost then.
            goodBytes = before
            try? cutBack()  // the sync's error is the one to tell
            throw error
        }
        line.removeAll()
        pendingCount = 0
    }

    private func cutBack() throws(SystemError) {
        guard let goodBytes, let log else { return }
        try log.truncate(to: goodBytes)
        self.goodBytes = nil
    }

    /// Whether what is written to has its name still: nobody has removed, moved or replaced the segment.
    public func isInPlace() throws(SystemError) -> Bool {
        guard let log else { return true }
        return try fs.status("\(Layout.journal)/\(segment)")?.inode == log.inode
    }

    /// Whether it is as long as what was written to it: nobody has cut it off, or written to it too.
    public func isAsWritten() throws(SystemError) -> Bool {
        guard let log, goodBytes == nil else { return true }
        return try fs.status("\(Layout.journal)/\(segment)")?.size == log.size
    }

    public var wantsRotation: Bool { (log?.size ?? 0) >= rotateAt }

    /// Begins a new segment with a snapshot of the state. What older segments say is in the tree, or in the snapshot:
    /// the caller has carried out every effect of what was committed.
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

    /// Removes old segments: those whose last record is older than `before`, never the newest.
    public func prune(before: Instant) throws(SystemError) {
        let segments = try Self.segments(fs).dropLast()
        for name in segments {
            let path = "\(Layout.journal)/\(name)"
            guard let status = try fs.status(path), status.modifiedNanoseconds / 1_000_000 < before.milliseconds else { return }
            try fs.removeFile(path)
        }
    }
}

extension FileSystem {
    /// Puts a segment in its place, on the disk when this returns.
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
