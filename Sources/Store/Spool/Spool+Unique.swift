// Which job holds a key of `unique`: a file in `state/unique/`, named after the key, whose first line is the job's id. It counts as long
// as that job stands anywhere, so removing the job's record gives the key back; with a second line, `active`, as long as it waits or runs.

import Glibc

extension Layout {
    public static func holder(ofUnique key: String) -> String { "\(unique)/\(UniqueKey.fileName(key)).id" }
}

/// Held by whoever submits a job with a key, from the look at who has it to having it. The daemon needs none: it never takes a key
/// from a job that is there.
public final class UniqueLock {
    private let directory: FileDescriptor

    /// Waits until whoever has it is done.
    public init(spool: String) throws(SystemError) {
        directory = try FileDescriptor.open("\(spool)/\(Layout.unique)", O_RDONLY | O_DIRECTORY)
        try directory.lock()
    }
}

/// A job that took a key, and for how long it holds it.
public struct UniqueClaim: Sendable, Hashable {
    public var id: JobID
    public var holding: Unique.Holding
}

extension Spool {
    /// The job that took the key last, whether or not there still is one of that id.
    public func claim(ofUnique key: String) throws(SystemError) -> UniqueClaim? { try claim(at: Layout.holder(ofUnique: key)) }

    func claim(at path: String) throws(SystemError) -> UniqueClaim? {
        guard case .file(_, let bytes) = try fs.take(path, limit: 4096, ignoringWriters: true) else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let first = lines.first, let id = JobID(String(first)) else { return nil }
        return UniqueClaim(id: id, holding: lines.count > 1 ? Unique.Holding(rawValue: String(lines[1])) ?? .recorded : .recorded)
    }

    /// The key is this job's now; on the disk when this returns.
    public func claim(_ unique: Unique, for id: JobID) throws(SystemError) {
        let path = Layout.holder(ofUnique: unique.key)
        // Not beside it: somebody else may be writing there.
        let temporary = "\(Layout.temporary)/\(id).id"
        let holding = unique.holding == .recorded ? "" : "\(unique.holding.rawValue)\n"
        try fs.create(temporary, Array("\(id)\n\(holding)".utf8), mode: 0o600)
        try fs.sync(temporary)
        try fs.rename(temporary, to: path)
        try fs.sync(Layout.unique)
    }

    /// Whether a file of this job's waits in new/.
    public func waits(_ id: JobID) throws(SystemError) -> Bool {
        for name in Self.waitingNames(of: id) where try fs.status("\(Layout.new)/\(name)") != nil { return true }
        return false
    }

    /// Whether there is a job of this id, other than as a file that waits under another name.
    public func stands(_ id: JobID) throws(SystemError) -> Bool {
        if try waits(id) { return true }
        for state in [JobState.running, .done, .failed] where try fs.status(Layout.directory(of: id, state)) != nil { return true }
        return false
    }

    /// The spool has a record of the job: in running/ too, where a record stays while the disk refuses to move it. A record that cannot be
    /// read counts as none; it is in the way when another job of this id is to be brought there.
    public func isOnRecord(_ id: JobID) -> Bool {
        (try? [JobState.running, .done, .failed].contains { try fs.status(Layout.directory(of: id, $0)) != nil }) ?? false  // as said
    }

    /// How the job ended; nil: it has not, or there is no record of it.
    public func end(of id: JobID) throws(SystemError) -> JobState? {
        for state in [JobState.done, .failed] {
            if try fs.status(Layout.directory(of: id, state))?.kind == .directory { return state }
        }
        return nil
    }

    /// What a job of this id may be called in `new/`.
    public static func waitingNames(of id: JobID) -> [String] { ["\(id).toml", "\(id).json", id.text] }

    /// Removes the files of keys whose jobs are gone.
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
