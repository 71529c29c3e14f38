// The holders of keys of `unique`: each key has a file in `state/unique/`, named after the key, whose first line is the job's id.
// The key is held as long as that job exists anywhere, so removing the job's record releases it. With `active` as the second
// line, the key is only held while the job waits or runs.

import Glibc

extension Layout {
    public static func holder(ofUnique key: String) -> String { "\(unique)/\(UniqueKey.fileName(key)).id" }
}

/// A program that submits a job with a key holds this lock from its check of the key until it has taken the key. The daemon does
/// not need the lock: it never takes a key from an existing job.
public final class UniqueLock {
    private let directory: FileDescriptor

    /// Waits until the present holder releases the lock.
    public init(spool: String) throws(SystemError) {
        directory = try FileDescriptor.open("\(spool)/\(Layout.unique)", O_RDONLY | O_DIRECTORY)
        try directory.lock()
    }
}

/// A job that took a key, and the time for which it holds the key.
public struct UniqueClaim: Sendable, Hashable {
    public var id: JobID
    public var holding: Unique.Holding
}

extension Spool {
    /// The last job that took the key, even if that job no longer exists.
    public func claim(ofUnique key: String) throws(SystemError) -> UniqueClaim? { try claim(at: Layout.holder(ofUnique: key)) }

    func claim(at path: String) throws(SystemError) -> UniqueClaim? {
        guard case .file(_, let bytes) = try fs.take(path, limit: 4096, ignoringWriters: true) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let first = lines.first, let id = JobID(String(first)) else { return nil }
        return UniqueClaim(id: id, holding: lines.count > 1 ? Unique.Holding(rawValue: String(lines[1])) ?? .recorded : .recorded)
    }

    /// Gives the key to this job. The change is on the disk when this returns.
    public func claim(_ unique: Unique, for id: JobID) throws(SystemError) {
        try write(UniqueClaim(id: id, holding: unique.holding), at: Layout.holder(ofUnique: unique.key))
        try fs.sync(Layout.unique)
    }

    /// Writes the files of the keys again that are held. After a failed sync they may exist only in memory. Returns the files that cannot
    /// be read or replaced, with the errors.
    public func renewClaims(
        isHeld: (UniqueClaim) throws(SystemError) -> Bool
    ) throws(SystemError) -> [(path: String, error: SystemError)] {
        var failed: [(path: String, error: SystemError)] = []
        for entry in try fs.list(Layout.unique) where entry.name.hasSuffix(".id") {
            let path = "\(Layout.unique)/\(entry.name)"
            do throws(SystemError) {
                // Another program may be giving away a key that nobody holds.
                if let claim = try claim(at: path), try isHeld(claim) { try write(claim, at: path) }
            } catch {
                guard error.isOfOnePath else { throw error }
                failed.append((path, error))
            }
        }
        try fs.sync(Layout.unique)
        return failed
    }

    private func write(_ claim: UniqueClaim, at path: String) throws(SystemError) {
        // Not in the same directory: another program may be writing there.
        let temporary = "\(Layout.temporary)/\(claim.id).id"
        let holding = claim.holding == .recorded ? "" : "\(claim.holding.rawValue)\n"
        try fs.create(temporary, Array("\(claim.id)\n\(holding)".utf8), mode: 0o600)
        try fs.sync(temporary)
        try fs.rename(temporary, to: path)
    }

    /// True when a file of this job waits in new/.
    public func waits(_ id: JobID) throws(SystemError) -> Bool {
        for name in Layout.waitingNames(of: id.text) where try fs.status("\(Layout.new)/\(name)") != nil { return true }
        return false
    }

    /// True when a job with this id exists, other than as a file that waits under another name.
    public func stands(_ id: JobID) throws(SystemError) -> Bool {
        if try waits(id) { return true }
        for state in JobState.afterNew where try fs.status(Layout.directory(of: id, state)) != nil { return true }
        return false
    }

    /// True when the spool has a record of the job, also in running/, where a record stays while the disk refuses to move it. An
    /// unreadable record counts as none. It causes an error when another job with this id is moved there.
    public func isOnRecord(_ id: JobID) -> Bool {
        (try? JobState.afterNew.contains { try fs.status(Layout.directory(of: id, $0)) != nil }) ?? false  // see above
    }

    /// The end of the job. Nil when the job has not ended, or has no record.
    public func end(of id: JobID) throws(SystemError) -> JobState? {
        for state in [JobState.done, .failed] {
            if try fs.status(Layout.directory(of: id, state))?.kind == .directory { return state }
        }
        return nil
    }

    /// Removes the files of keys whose jobs no longer exist.
    public func forgetUnused(isAlive: (JobID) -> Bool) throws(SystemError) {
        for entry in try fs.list(Layout.unique) where entry.name.hasSuffix(".id") {
            let path = "\(Layout.unique)/\(entry.name)"
            if let id = try claim(at: path)?.id {
                if isAlive(id) { continue }
                if try stands(id) { continue }
            }
            try fs.removeTreeIfThere(path)
        }
    }
}
