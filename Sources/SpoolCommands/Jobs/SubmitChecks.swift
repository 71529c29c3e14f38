import Glibc
import Linux
import Store

// What `submit` refuses beyond what the job's text says: what the daemon, or the job's worker, would find missing.

extension Session {
    /// Refuses a job that may start at once and whose directory or files are not there. Of one that starts later, or after others, or as
    /// another user, nobody knows yet; nor does root look at what a user's job names, which may be where no look ever returns.
    func refuseMissingFiles(of definition: JobDefinition, _ spelled: (String) -> String) throws(Failure) {
        if acting != nil { return }
        guard definition.start.map({ $0 <= now }) ?? true, definition.after == nil, !definition.isForAnother else { return }
        let directory = definition.directory.flatMap { $0.hasPrefix("/") ? $0 : nil }
        if let directory { try refuse(directory, spelled("directory"), asDirectory: true) }
        for (key, path) in [("stdin", definition.standardInput), ("env_file", definition.environmentFile)] {
            guard let path else { continue }
            if path.hasPrefix("/") {
                try refuse(path, spelled(key))
            } else if let directory {
                try refuse("\(directory)/\(path)", spelled(key))
            }
        }
    }

    private func refuse(_ path: String, _ spelling: String, asDirectory: Bool = false) throws(Failure) {
        let failure = try attempt { () throws(SystemError) in
            try FileName.withCPath(asDirectory ? "\(path)/." : path) { access($0, F_OK) == 0 ? 0 : errno }
        }
        // Whether the job may do there what this process may not is for the job to find.
        guard failure == ENOENT || failure == ENOTDIR else { return }
        throw .invalid("\(spelling): \"\(path)\": \(SystemError.message(failure)); a job that starts later, by --in or --start, may have it made until then")
    }

    /// Refuses a job that is to start after others of which there is none: the daemon would reject it.
    func refuseUnknown(_ after: After?, _ spelled: (String) -> String) throws(Failure) {
        guard let after else { return }
        var records = try records()
        let tasks = try TaskCatalog(self, withSchedules: false).names()
        for name in after.all {
            if JobID(name) != nil {
                if try reading({ () throws(JournalError) in try records.place(of: name) }) == nil {
                    throw .invalid("\(spelled("after")): there is no job \"\(name)\" in \(spoolPath)")
                }
            } else if !tasks.contains(name) {
                throw .invalid("\(spelled("after")): there is no job or task \"\(name)\" in \(spoolPath)".suggesting(name, among: tasks))
            } else if try reading({ () throws(JournalError) in try records.hasRun(name) }) == false {
                throw .invalid("\(spelled("after")): task \"\(name)\" has not run yet, so there is nothing to wait for")
            }
        }
    }
}
