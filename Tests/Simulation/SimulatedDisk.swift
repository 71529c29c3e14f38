// A disk in memory that records what has been synced.
//
// It promises no more than POSIX. A change of a directory is durable when that directory has been synced, and a file's content when the
// file has been synced. `syncAll` makes everything durable, and nothing else does. Each other change may survive a power cut or not, in any
// combination that a journaling file system can leave: see `CrashImage`.
//
// As in Linux, data that a failed sync could not write counts as written from then on, until it is dropped from memory. The error is
// reported once. Changes of a directory remain to be synced: a file system that cannot log them shuts itself down.

import Glibc
import Store

package final class SimulatedDisk: FileSystem {
    /// A file or directory, apart from its names.
    final class Node {
        let inode: UInt64
        let kind: FileKind
        var mode: UInt32
        /// The owner. Nil means the spool's owner.
        var owner: FileOwner?
        var bytes: [UInt8] = []
        var entries: [String: Node] = [:]
        var modified: Int64
        var changed: Int64
        /// The number of bytes from the beginning that surely survive a power cut.
        var syncedCount = 0
        /// The earlier content, with its time, that survives instead when the content was replaced in place.
        var before: (bytes: [UInt8], modified: Int64)?
        /// True when a sync has failed. The data that was not on the disk can be read while it is in memory, and no later sync writes it.
        var hasFailed = false
        /// True when the kernel has failed to write the file by itself. The next sync reports that.
        var isFailureUntold = false
        /// True when the content survives a power cut as it is.
        var isDurable: Bool { syncedCount == bytes.count && before == nil }
        /// The entries that surely survive a power cut.
        var syncedEntries: [String: Node] = [:]
        /// The number of people who have the file open for writing.
        var writers = 0
        /// True for a job's directory that a power cut has left without its status.
        var isTorn = false

        init(inode: UInt64, kind: FileKind, mode: UInt32, at time: Int64) {
            self.inode = inode
            self.kind = kind
            self.mode = mode
            modified = time
            changed = time
        }

        /// The text of a job's file, or of the file in a job's directory.
        var jobText: [UInt8] {
            kind == .file ? bytes : Source.fileNames.compactMap { entries[$0] }.filter { $0.kind == .file }.flatMap(\.bytes)
        }
    }

    /// A change of a directory that is not durable yet. The two halves of a rename have the same number.
    struct Change {
        enum Kind { case added, removed }

        var number: Int
        var kind: Kind
        var directory: Node
        var name: String
        var node: Node
    }

    /// A fault, and the number of the future change at which it strikes.
    package struct Fault {
        package enum Kind: Equatable {
            /// The process ends before the change, or in the middle of it.
            case kill, killWithin
            /// The system refuses this many calls.
            case error(Int32, times: Int)
        }

        package var kind: Kind
        package var after: Int

        package init(_ kind: Kind, after: Int) {
            self.kind = kind
            self.after = after
        }
    }

    /// Deliberate bugs, to check that the simulator finds them.
    package enum Bug: String, CaseIterable, Sendable {
        /// `fdatasync` of the journal does nothing.
        case journalIsNotSynced
        /// A record reaches the journal only when the next change to a directory has been made.
        case renameBeforeJournal
        /// Lost events are not reported.
        case overflowIsNotNoticed
        /// Accounted due times are forgotten: the segment before the last one is read.
        case catchUpTwice
        /// All files look as if they were one.
        case idsAreReused
        /// `fsync` of a directory does nothing.
        case directoriesAreNotSynced
        /// A worker reports the end of a command that has only begun.
        case endIsToldEarly
    }

    /// Called with a line for each change.
    var trace: ((String) -> Void)?
    var root: Node
    var pending: [Change] = []
    var lastInode: UInt64 = 1
    var lastNumber = 0
    private var ticks: Int64 = 0
    let bug: Bug?

    /// The wall clock, nanoseconds since the epoch.
    var time: Int64 = 0
    package var fault: Fault?
    /// A fault of reading calls, and the number of the future call at which it strikes. The system refuses this many.
    package var lookFault: (errno: Int32, times: Int, after: Int)?
    /// The number of syncs that succeed before one fails.
    package var syncFault: Int?
    /// True when the kernel has failed to write something by itself. The next `syncAll` reports that.
    var isFailureUntold = false
    /// The process that used the disk has ended: every call fails.
    package var isStopped = false
    /// Called before the change with that number from now.
    var interruption: (after: Int, body: () -> Void)?
    /// Called for each change of a directory of the spool itself: its name, the entry's, and what happened.
    var onChange: ((_ directory: String, _ name: String, _ what: DirectoryEvent) -> Void)?
    /// A forbidden state that a reader of the spool could have seen.
    package private(set) var seen: String?
    /// The journal data that the bug `renameBeforeJournal` keeps back.
    private var late: (node: Node, bytes: [UInt8])?

    enum DirectoryEvent { case created, movedIn, gone, closed, attributes }

    package init(bug: Bug? = nil) {
        self.bug = bug
        root = Node(inode: 1, kind: .directory, mode: 0o700, at: 0)
    }

    // MARK: Faults

    private func call(_ name: String, _ path: String) throws(SystemError) {
        if isStopped { throw SystemError(call: name, path: path, errno: EIO) }
    }

    /// Before each look.
    private func look(_ name: String, _ path: String) throws(SystemError) {
        try call(name, path)
        guard var fault = lookFault else { return }
        if fault.after > 0 {
            fault.after -= 1
            lookFault = fault
            return
        }
        trace?("    \(name) \(path): refused")
        fault.times -= 1
        lookFault = fault.times > 0 ? fault : nil
        throw SystemError(call: name, path: path, errno: fault.errno)
    }

    /// Reads the disk without counting as a part of the run.
    func undisturbed<T>(_ body: () throws -> T) rethrows -> T {
        let faults = (fault, lookFault, syncFault, isStopped)
        (fault, lookFault, syncFault, isStopped) = (nil, nil, nil, false)
        defer { (fault, lookFault, syncFault, isStopped) = faults }
        return try body()
    }

    /// Called before each change. `half` makes the part of it that a process leaves when it is killed in the middle.
    ///
    /// - Parameter refused: the effect of an error that does not end the process.
    private func change(_ name: String, _ path: String, half: () -> Void = {}, refused: () -> Void = {}) throws(SystemError) {
        try call(name, path)
        trace?("    \(name) \(path)")
        if let interruption {
            self.interruption = interruption.after > 0 ? (interruption.after - 1, interruption.body) : nil
            if interruption.after == 0 { interruption.body() }
        }
        if name.contains("sync"), let left = syncFault {
            syncFault = left > 0 ? left - 1 : nil
            if left == 0 {
                refused()
                throw SystemError(call: name, path: path, errno: EIO)
            }
        }
        guard var fault else { return }
        if fault.after > 0 {
            fault.after -= 1
            self.fault = fault
            return
        }
        self.fault = nil
        switch fault.kind {
        case .kill, .killWithin:
            if fault.kind == .killWithin {
                half()
                lookAsReader(path)
            }
            isStopped = true
            throw SystemError(call: name, path: path, errno: EIO)
        case .error(let errno, let times):
            if times > 1 { self.fault = Fault(.error(errno, times: times - 1), after: 0) }
            half()
            refused()
            lookAsReader(path)
            throw SystemError(call: name, path: path, errno: errno)
        }
    }

    /// Sets the state of a file after a failed sync.
    private func failSync(of node: Node) {
        if node.kind == .file, !node.isDurable { node.hasFailed = true }
    }

    private func failSyncOfAll(_ node: Node) {
        failSync(of: node)
        for entry in node.entries.values { failSyncOfAll(entry) }
    }

    /// Has the kernel fail to write data back by itself.
    func failWriteback() {
        failSyncOfAll(root)
        func walk(_ node: Node) {
            node.isFailureUntold = node.hasFailed
            for entry in node.entries.values { walk(entry) }
        }
        walk(root)
        isFailureUntold = true
    }

    /// True when the next sync of some file fails, because the kernel could not write it.
    var hasUntoldFailure: Bool {
        func isUntold(_ node: Node) -> Bool { node.isFailureUntold || node.entries.values.contains(where: isUntold) }
        return isFailureUntold || isUntold(root)
    }

    private func tellFailure(of node: Node, _ name: String, _ path: String) throws(SystemError) {
        guard node.isFailureUntold else { return }
        node.isFailureUntold = false
        throw SystemError(call: name, path: path, errno: EIO)
    }

    /// Has the kernel drop data from memory. Of data that a sync could not write, only the part on the disk remains.
    func forgetFailed(_ random: inout Random) {
        func walk(_ node: Node) {
            for (_, entry) in node.entries.sorted(by: { $0.key < $1.key }) { walk(entry) }
            if node.hasFailed { forget(node, &random) }
        }
        walk(root)
        noteTorn()
    }

    // MARK: Readers

    /// Checks after each change of the daemon that every job's directory has a readable status.
    private func lookAsReader(_ path: String) {
        let parts = parts(path)
        guard parts.count >= 2, let state = JobState(rawValue: String(parts[0])), state != .new, JobID(parts[1]) != nil,
            // The directory is gone, or a file has its name.
            let node = try? node("\(parts[0])/\(parts[1])"), node.kind == .directory
        else { return }
        if Self.isWhole(node) {
            node.isTorn = false
        } else if !node.isTorn {
            seen = seen ?? "\(parts[0])/\(parts[1]) was seen without a whole \(Layout.statusFile), after a change of \(path)"
        }
    }

    private static func isWhole(_ directory: Node) -> Bool {
        guard let bytes = directory.entries[Layout.statusFile]?.bytes, let table = JSON.readableTable(bytes)
        else { return false }
        return JobStatus(json: table) != nil
    }

    /// Notes the directories that a power cut has torn and the daemon has not mended yet.
    func noteTorn() {
        for state in JobState.allCases {
            guard let directory = try? node(state.rawValue) else { continue }  // no spool yet
            for entry in directory.entries.values where entry.kind == .directory { entry.isTorn = !Self.isWhole(entry) }
        }
    }

    // MARK: Looking up

    private func parts(_ path: String) -> [Substring] {
        path == "." ? [] : path.utf8.split(separator: UInt8(ascii: "/")).map { Substring($0) }
    }

    func node(_ path: String) throws(SystemError) -> Node {
        var node = root
        for part in parts(path) {
            guard node.kind == .directory else { throw SystemError(call: "open", path: path, errno: ENOTDIR) }
            guard let next = node.entries[String(part)] else { throw SystemError(call: "open", path: path, errno: ENOENT) }
            node = next
        }
        return node
    }

    private func parent(_ path: String) throws(SystemError) -> (Node, String) {
        var parts = parts(path)
        guard let name = parts.popLast() else { throw SystemError(call: "open", path: path, errno: EINVAL) }
        let node = try node(parts.isEmpty ? "." : parts.joined(separator: "/"))
        guard node.kind == .directory else { throw SystemError(call: "open", path: path, errno: ENOTDIR) }
        return (node, String(name))
    }

    func exists(_ path: String) -> Bool { (try? node(path)) != nil }  // an error is a no

    func names(of node: Node) -> Int {
        func count(_ directory: Node) -> Int {
            directory.entries.values.reduce(0) { $0 + ($1 === node ? 1 : 0) + ($1.kind == .directory ? count($1) : 0) }
        }
        return count(root)
    }

    func bytes(_ path: String) -> [UInt8]? { (try? node(path))?.bytes }  // as above

    // MARK: Changing, without faults

    /// The time of a change. The clock may stand still, but no two changes have the same time.
    func tick() -> Int64 {
        ticks = (ticks + 1) % 1_000_000
        return time + ticks
    }

    private func tell(_ path: String, _ what: DirectoryEvent) {
        let parts = parts(path)
        if parts.count == 2 { onChange?(String(parts[0]), String(parts[1]), what) }
    }

    private func add(_ node: Node, to directory: Node, _ name: String, number: Int? = nil) {
        directory.entries[name] = node
        lastNumber += 1
        pending.append(Change(number: number ?? lastNumber, kind: .added, directory: directory, name: name, node: node))
    }

    private func remove(_ name: String, from directory: Node, number: Int? = nil) {
        guard let node = directory.entries.removeValue(forKey: name) else { return }
        lastNumber += 1
        pending.append(Change(number: number ?? lastNumber, kind: .removed, directory: directory, name: name, node: node))
    }

    private func make(_ kind: FileKind, mode: UInt32) -> Node {
        lastInode += 1
        return Node(inode: lastInode, kind: kind, mode: mode, at: tick())
    }

    /// Writes a file as a person or a job does, without faults.
    func write(_ path: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws(SystemError) {
        let (directory, name) = try parent(path)
        if let node = directory.entries[name] {
            if node.syncedCount > 0 { node.before = node.before ?? (Array(node.bytes.prefix(node.syncedCount)), node.modified) }
            node.bytes = bytes
            node.syncedCount = 0
            // All of it must be written again.
            node.hasFailed = false
            node.modified = tick()
            node.changed = node.modified
        } else {
            let node = make(.file, mode: mode)
            node.bytes = bytes
            add(node, to: directory, name)
            tell(path, .created)
        }
        tell(path, .closed)
    }

    /// Makes a directory as somebody on another machine does: it is durable at once. Throws EEXIST.
    func makeDirectoryOutside(_ path: String) throws(SystemError) {
        let (directory, name) = try parent(path)
        guard directory.entries[name] == nil else { throw SystemError(call: "mkdir", path: path, errno: EEXIST) }
        let node = make(.directory, mode: 0o700)
        add(node, to: directory, name)
        tell(path, .created)
        guard let change = pending.popLast() else { return }
        apply(change)
        // Earlier changes of the directories above it are in the same log of the file system.
        var above = path.split(separator: "/").dropLast()
        while !above.isEmpty {
            try makeDurable(above.joined(separator: "/"))
            above = above.dropLast()
        }
    }

    func setMode(_ path: String, _ mode: UInt32) throws(SystemError) {
        let node = try node(path)
        node.mode = mode
        node.changed = tick()
        tell(path, .attributes)
    }

    func move(_ from: String, to: String) throws(SystemError) {
        let (source, name) = try parent(from)
        guard let node = source.entries[name] else { throw SystemError(call: "rename", path: from, errno: ENOENT) }
        let (target, newName) = try parent(to)
        // rename(2): two names of one file are left as they are.
        if target.entries[newName] === node { return }
        if let other = target.entries[newName] {
            if other.kind == .directory {
                guard node.kind == .directory else { throw SystemError(call: "rename", path: to, errno: EISDIR) }
                guard other.entries.isEmpty else { throw SystemError(call: "rename", path: to, errno: ENOTEMPTY) }
            } else if node.kind == .directory {
                throw SystemError(call: "rename", path: to, errno: ENOTDIR)
            }
        }
        lastNumber += 1
        let number = lastNumber
        add(node, to: target, newName, number: number)
        remove(name, from: source, number: number)
        node.changed = tick()
        tell(from, .gone)
        tell(to, .movedIn)
    }

    func unlink(_ path: String) throws(SystemError) {
        let (directory, name) = try parent(path)
        guard directory.entries[name] != nil else { throw SystemError(call: "unlink", path: path, errno: ENOENT) }
        remove(name, from: directory)
        tell(path, .gone)
    }

    func makeDurable(_ path: String) throws(SystemError) {
        let node = try node(path)
        makeContentDurable(node)
        guard node.kind == .directory else { return }
        var isDurable = pending.map { $0.directory === node }
        var isMore = true
        while isMore {
            isMore = false
            // Losing an old name needs the new one, and each change needs the earlier ones of the same name.
            for (later, change) in pending.enumerated() where isDurable[later] {
                for (index, other) in pending.enumerated() where !isDurable[index] {
                    let isNewName = change.kind == .removed && other.kind == .added && other.number == change.number
                    guard isNewName || index < later && other.directory === change.directory && other.name == change.name else { continue }
                    isDurable[index] = true
                    isMore = true
                }
            }
        }
        for (index, change) in pending.enumerated() where isDurable[index] { apply(change) }
        var index = -1
        pending.removeAll { _ in
            index += 1
            return isDurable[index]
        }
    }

    private func makeContentDurable(_ node: Node) {
        guard !node.hasFailed else { return }
        node.syncedCount = node.bytes.count
        node.before = nil
    }

    func apply(_ change: Change) {
        switch change.kind {
        case .added: change.directory.syncedEntries[change.name] = change.node
        case .removed:
            if change.directory.syncedEntries[change.name] === change.node { change.directory.syncedEntries[change.name] = nil }
        }
    }

    func makeAllDurable() {
        for change in pending { apply(change) }
        pending.removeAll()
        func walk(_ node: Node) {
            makeContentDurable(node)
            for entry in node.entries.values { walk(entry) }
        }
        walk(root)
    }

    private func flushLate() {
        guard let late else { return }
        late.node.bytes += late.bytes
        self.late = nil
    }

    // MARK: - FileSystem

    package func list(_ path: String) throws(SystemError) -> [DirectoryEntry] {
        try look("open", path)
        do throws(SystemError) {
            let entries = try node(path).entries.map { DirectoryEntry(name: $0.key, kind: $0.value.kind) }.sorted { $0.name < $1.name }
            return bug == .catchUpTwice && path == Layout.journal && entries.count > 1 ? entries.dropLast() : entries
        } catch {
            if error.errno == ENOENT { return [] }
            throw error
        }
    }

    private func status(_ node: Node) -> FileStatus {
        let isOne = bug == .idsAreReused && node.kind == .file
        return FileStatus(
            kind: node.kind, mode: node.mode, size: Int64(node.bytes.count), inode: isOne ? 7 : node.inode, links: 1,
            owner: node.owner?.user ?? 0,
            modifiedNanoseconds: isOne ? 0 : node.modified, changedNanoseconds: isOne ? 1_000_000 : node.changed)
    }

    package func status(_ path: String) throws(SystemError) -> FileStatus? {
        try look("stat", path)
        do throws(SystemError) { return status(try node(path)) } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
            throw error
        }
    }

    package func take(_ path: String, limit: Int, ignoringWriters: Bool) throws(SystemError) -> TakenFile {
        try look("open", path)
        do throws(SystemError) {
            let node = try node(path)
            guard node.kind == .file else { return .other(node.kind) }
            if !ignoringWriters, node.writers > 0 { return .busy }
            guard node.bytes.count <= limit else { return .tooLarge(status(node)) }
            return .file(status(node), node.bytes)
        } catch {
            if error.errno == ENOENT { return .missing }
            throw error
        }
    }

    package func create(_ path: String, _ bytes: [UInt8], mode: UInt32) throws(SystemError) {
        // Half of it is written, or nothing when that fails.
        try change("write", path) { try? write(path, Array(bytes.prefix(bytes.count / 2)), mode: mode) }
        try write(path, bytes, mode: mode)
        lookAsReader(path)
    }

    package func replace(_ path: String, _ bytes: [UInt8]) throws(SystemError) {
        if exists(path + ".tmp") { try removeFile(path + ".tmp") }
        try create(path + ".tmp", bytes, mode: 0o600)
        try rename(path + ".tmp", to: path)
    }

    package func makeDirectory(_ path: String) throws(SystemError) {
        try change("mkdir", path)
        let (directory, name) = try parent(path)
        guard directory.entries[name] == nil else { return }
        add(make(.directory, mode: 0o700), to: directory, name)
        tell(path, .created)
        lookAsReader(path)
    }

    package func give(_ path: String, to owner: FileOwner, only names: [String]?) throws(SystemError) {
        try change("chown", path)
        let node = try node(path)
        for (name, entry) in node.entries where entry.kind == .file && names?.contains(name) ?? true { entry.owner = owner }
        node.owner = owner
    }

    package func takeBack(_ path: String) throws(SystemError) {
        try change("chown", path)
        try node(path).owner = nil
    }

    package func rename(_ from: String, to: String) throws(SystemError) {
        try change("rename", from)
        try move(from, to: to)
        lookAsReader(from)
        lookAsReader(to)
        flushLate()
    }

    package func renameNoReplace(_ from: String, to: String) throws(SystemError) {
        try change("renameat2", from)
        guard !exists(to) else { throw SystemError(call: "renameat2", path: to, errno: EEXIST) }
        try move(from, to: to)
        lookAsReader(from)
        lookAsReader(to)
        flushLate()
    }

    package func removeFile(_ path: String) throws(SystemError) {
        try change("unlink", path)
        try unlink(path)
        lookAsReader(path)
    }

    package func removeTree(_ path: String) throws(SystemError) {
        let entry = try node(path)
        if entry.kind == .directory {
            for name in entry.entries.keys.sorted() { try removeTree("\(path)/\(name)") }
        }
        try removeFile(path)
    }

    /// The number of removals at a time: so few that a record takes several turns.
    package func removeTree(_ path: String, atMost count: Int, _ raised: inout Int) throws(SystemError) -> Bool {
        guard try node(path).kind == .directory, let name = try node(path).entries.keys.min() else {
            try removeFile(path)
            return true
        }
        try removeTree("\(path)/\(name)")
        return false
    }

    package func sync(_ path: String) throws(SystemError) {
        try change("fsync", path, refused: { (try? node(path)).map(failSync) })  // a missing file has nothing to lose
        try tellFailure(of: try node(path), "fsync", path)
        if bug == .directoriesAreNotSynced, try node(path).kind == .directory { return }
        try makeDurable(path)
    }

    package func syncAll() throws(SystemError) {
        try change("syncfs", ".", refused: { failSyncOfAll(root) })
        if isFailureUntold {
            isFailureUntold = false
            throw SystemError(call: "syncfs", path: ".", errno: EIO)
        }
        makeAllDurable()
    }

    package func openLog(_ path: String) throws(SystemError) -> SimulatedLog {
        try change("open", path)
        if !exists(path) { try write(path, []) }
        return SimulatedLog(self, path, try node(path))
    }

    package final class SimulatedLog: AppendLog {
        private let disk: SimulatedDisk
        private let path: String
        private let node: Node

        init(_ disk: SimulatedDisk, _ path: String, _ node: Node) {
            self.disk = disk
            self.path = path
            self.node = node
            size = Int64(node.bytes.count)
        }

        package private(set) var size: Int64

        package var inode: UInt64 { node.inode }

        package func append(_ bytes: [UInt8]) throws(SystemError) {
            try disk.change("write", path) { node.bytes += bytes.prefix(bytes.count / 2) }
            size += Int64(bytes.count)
            if disk.bug == .renameBeforeJournal {
                disk.flushLate()
                disk.late = (node, bytes)
                return
            }
            node.bytes += bytes
            node.modified = disk.tick()
        }

        package func syncData() throws(SystemError) {
            try disk.change("fdatasync", path, refused: { disk.failSync(of: node) })
            try disk.tellFailure(of: node, "fdatasync", path)
            if disk.bug == .journalIsNotSynced { return }
            disk.makeContentDurable(node)
        }

        package func truncate(to size: Int64) throws(SystemError) {
            try disk.change("ftruncate", path)
            node.bytes = Array(node.bytes.prefix(Int(size)))
            node.syncedCount = min(node.syncedCount, Int(size))
            self.size = size
        }
    }
}
