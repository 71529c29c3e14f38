// A copy of a spool that was being served: its directories are from different moments.

import Glibc

extension Spool {
    /// Sets files in `new/` aside that became jobs according to the journal: `new/` was copied while they were still there, and
    /// their jobs were copied later. Returns a sentence for each file.
    ///
    /// - Parameter jobs: the jobs of the journal, including ended ones.
    public func setAsideTaken(_ jobs: some Sequence<Job>) throws(SystemError) -> [String] {
        var waiting: Set<String> = []
        var taken: [Job] = []
        for job in jobs {
            guard let file = job.file else { continue }
            if job.state == .new, job.attempt == 0 { waiting.insert(file.name) } else { taken.append(job) }
        }
        var sentences: [String] = []
        for job in taken {
            guard let stamp = job.file, !waiting.contains(stamp.name) else { continue }
            let path = "\(Layout.new)/\(stamp.name)"
            guard let status = try fs.status(path), status.kind == .file, status.size == stamp.size,
                // Archives store whole seconds.
                status.modifiedNanoseconds / 1_000_000_000 == stamp.modifiedNanoseconds / 1_000_000_000
            else { continue }
            let kept = try fs.setAside(path)
            sentences.append("set \(path) aside as \(kept): it became \(job.id) in the spool that this one is a copy of")
        }
        return sentences
    }
}

extension Layout {
    /// A file that has no use at its present place.
    public static let lostAndFound = "state/lost+found"
}

extension FileSystem {
    /// Moves something to `state/lost+found/`, under a name that shows its former place. Returns its new path.
    ///
    /// - Parameter number: the number that the name ends with, if it is not 1. When it is taken, the next ones are tried. The inode of what
    ///   is moved is free in almost all cases.
    public func setAside(_ path: String, number first: UInt64 = 1) throws(SystemError) -> String {
        try withNameAside(path, number: first) { target throws(SystemError) in try renameNoReplace(path, to: target) }
    }

    /// Calls `make` with names in `state/lost+found/` for something from this place, until one is free. Returns that name.
    public func withNameAside(
        _ path: String, number first: UInt64, _ make: (String) throws(SystemError) -> Void
    ) throws(SystemError) -> String {
        try makeDirectory(Layout.lostAndFound)
        let name = String(path.map { $0 == "/" ? "-" : $0 }.suffix(200))
        var number = first
        while true {
            let target = "\(Layout.lostAndFound)/\(name)\(number == 1 ? "" : ".\(number)")"
            do throws(SystemError) {
                try make(target)
                return target
            } catch {
                guard error.errno == EEXIST else { throw error }
                number += 1
            }
        }
    }
}
