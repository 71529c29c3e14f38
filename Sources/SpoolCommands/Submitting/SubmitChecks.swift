import Glibc
import Linux
import Store

// Checks of `submit` beyond the job's text: files, jobs and tasks that would be missing when the job starts.

extension Session {
    /// Refuses a job that can start at once and whose directory or files are missing. A job that starts later, after others, or as another
    /// user is not checked: the files may exist then. Root never checks the paths of a user's job: a stat could hang on the user's mount.
    func refuseMissingFiles(of definition: JobDefinition, _ spelled: (String) -> String) throws(Failure) {
        if acting != nil { return }
        guard definition.start.map({ $0 <= now }) ?? true, definition.after == nil, !definition.isForAnother else { return }
        let directory = definition.directory.flatMap { $0.hasPrefix("/") ? $0 : nil }
        if let directory { try refuse(directory, spelled("directory"), asDirectory: true) }
        for (key, path) in [("stdin", definition.standardInput?.path), ("env_file", definition.environmentFile)] {
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
        // Any other error, such as a missing permission, may not occur for the job.
        guard failure == ENOENT || failure == ENOTDIR else { return }
        throw .invalid(
            "\(spelling): \"\(path)\": \(SystemError.message(failure)); only a job that starts later, by --in or --start, may name it")
    }

    /// Refuses a job whose `after` names a missing job or task: the daemon would reject the job.
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
                throw .invalid("\(spelled("after")): task \"\(name)\" has not run yet; there is no run to wait for")
            }
        }
    }
}
