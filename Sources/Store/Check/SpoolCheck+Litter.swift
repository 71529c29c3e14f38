// Files that interrupted programs leave behind.

import Glibc
import WorkerProtocol

extension SpoolCheck {
    /// The age in milliseconds from which a file in `tmp/` is considered abandoned.
    private static var workMilliseconds: Int64 { 86_400_000 }

    mutating func lookAtLitter() throws(SystemError) {
        let limit = context.now.milliseconds - Self.workMilliseconds
        for entry in try fs.list(Layout.temporary).sorted(by: { $0.name < $1.name }) {
            // A user's files there belong to the user, who decides when they are no longer needed.
            if try fs.isStranger(entry.name, in: Layout.temporary, isDirectory: true) { continue }
            let path = "\(Layout.temporary)/\(entry.name)"
            guard let status = try fs.status(path), status.changedNanoseconds / 1_000_000 < limit else { continue }
            // Only names that the programs give. Other files may belong to somebody.
            let isOurs = [".pruned", ".id", ".tmp"].contains { entry.name.hasSuffix($0) }
            add(path, "has been here for more than a day", isOurs ? .remove : .setAside)
        }
        // Files with these names are renamed as soon as they are written.
        guard !isServed else { return }
        for directory in [Layout.journal, Layout.state, Layout.control] { try lookForTemporaryFiles(directory) { $0.hasSuffix(".tmp") } }
        for state in JobState.allCases {
            for entry in try fs.list(state.rawValue) where entry.kind == .directory {
                let path = "\(state.rawValue)/\(entry.name)"
                if JobID(entry.name) != nil {
                    try lookForTemporaryFiles(path) { $0 == "\(Layout.statusFile).tmp" }
                } else if state != .new, Layout.isAside(entry.name) {
                    add(path, "was begun or half removed when the daemon ended", .remove)
                }
            }
        }
    }

    private mutating func lookForTemporaryFiles(_ directory: String, _ isOne: (String) -> Bool) throws(SystemError) {
        for entry in try fs.list(directory).sorted(by: { $0.name < $1.name }) where entry.kind == .file && isOne(entry.name) {
            if try fs.isStranger(entry.name, in: directory, isDirectory: false) { continue }
            add("\(directory)/\(entry.name)", "was never completed", .remove)
        }
    }

    mutating func lookAtWorkers() throws(SystemError) {
        for entry in try fs.list(Layout.workers).sorted(by: { $0.name < $1.name }) {
            let path = "\(Layout.workers)/\(entry.name)"
            switch try fs.take(path, limit: 1 << 16, ignoringWriters: true) {
            case .missing: break
            case .file(_, let bytes):
                // A worker that has had no job yet has written nothing.
                if bytes.isEmpty || WorkerRecord.parse(bytes) != nil || isHeld(entry.name) { continue }
                add(path, "cannot be read as a worker's record", .setAside)
            case .busy, .tooLarge, .other, .foreign, .refused: add(path, "is no worker's record", .setAside)
            }
        }
    }

    /// Keys of `unique` that no job holds.
    mutating func lookAtKeys(_ state: Scheduler) throws(SystemError) {
        let spool = Spool(fs, host: "")
        for entry in try fs.list(Layout.unique).sorted(by: { $0.name < $1.name }) where entry.name.hasSuffix(".id") {
            let path = "\(Layout.unique)/\(entry.name)"
            if let id = try spool.claim(at: path)?.id {
                if let job = state.jobs[id], !job.state.isTerminal { continue }
                if try spool.stands(id) { continue }
                add(path, "is held by \(id), which is gone", .remove)
            } else {
                add(path, "names no job", .remove)
            }
        }
    }
}
