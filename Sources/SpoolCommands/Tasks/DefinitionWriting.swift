import Linux
import Store

/// Puts files into `tasks/` and `schedules/`, complete and durable; see `JobDrop`.
struct DefinitionWriting {
    let fs: DiskFileSystem
    /// `tasks` or `schedules`.
    let directory: String

    /// Adds a definition. Returns false when another definition has the name. A file of another user, which does not count, is replaced.
    func add(_ source: Source, stem: String) throws(Failure) -> Bool {
        let known = try attempt { () throws(SystemError) in try Spool(fs, host: "").definitionFiles(in: directory, stem: stem) }
        guard known.isEmpty else { return false }
        var change = DefinitionChange(fs)
        try change.add(source.bytes, at: "\(directory)/\(stem).\(source.format == .json ? "json" : "toml")", over: .nothing)
        try change.carryOut()
        return true
    }

    /// Files as they are now, to be removed.
    struct Removal {
        fileprivate var files: [(path: String, before: DefinitionChange.Before)]
    }

    func removal(of files: [String]) throws(Failure) -> Removal {
        var found: [(String, DefinitionChange.Before)] = []
        for file in files { found.append(("\(directory)/\(file)", try fs.before("\(directory)/\(file)"))) }
        return Removal(files: found)
    }

    /// Removes the files. One that another program has changed since is left as it is, and ends the command.
    func remove(_ removal: Removal) throws(Failure) {
        var change = DefinitionChange(fs)
        for file in removal.files where file.before != .nothing { change.remove(file.path, over: file.before) }
        try change.carryOut()
        try attempt { () throws(SystemError) in
            // Files of other users, which do not count.
            for file in removal.files where file.before == .nothing {
                do throws(SystemError) { try fs.removeFile(file.path) } catch {
                    if error.errno != SystemError.noSuchFile { throw error }
                }
            }
            try fs.sync(directory)
        }
    }
}
