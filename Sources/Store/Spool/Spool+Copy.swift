// A copy of a spool, taken while that was served: its directories are of different moments.

import Glibc

extension Spool {
    /// Sets files in `new/` aside that the journal knows to have become jobs: they stood there when the directory was copied, and their
    /// jobs were copied later. Returns what was set aside, each in a sentence.
    ///
    /// - Parameter jobs: those of the journal, ended ones too.
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
                // Archives keep whole seconds.
                status.modifiedNanoseconds / 1_000_000_000 == stamp.modifiedNanoseconds / 1_000_000_000
            else { continue }
            let kept = try fs.setAside(path)
            sentences.append("set \(path) aside as \(kept): it became \(job.id) in the spool that this one is a copy of")
        }
        return sentences
    }
}

extension Layout {
    /// What was found and is of no use where it stood.
    public static let lostAndFound = "state/lost+found"
}

extension FileSystem {
    /// Moves something to `state/lost+found/`, under a name that says where it stood. Returns where it is now.
    public func setAside(_ path: String) throws(SystemError) -> String {
        try makeDirectory(Layout.lostAndFound)
        let name = String(path.map { $0 == "/" ? "-" : $0 }.suffix(200))
        var number = 1
        while true {
            let target = "\(Layout.lostAndFound)/\(name)\(number == 1 ? "" : ".\(number)")"
            do throws(SystemError) {
                try renameNoReplace(path, to: target)
                return target
            } catch {
                guard error.errno == EEXIST else { throw error }
                number += 1
            }
        }
    }
}
