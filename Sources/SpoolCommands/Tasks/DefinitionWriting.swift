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

        static func + (first: Self, second: Self) -> Self { Removal(files: first.files + second.files) }
    }

    func removal(of files: [String]) throws(Failure) -> Removal {
        var found: [(String, DefinitionChange.Before)] = []
        for file in files { found.append(("\(directory)/\(file)", try fs.before("\(directory)/\(file)"))) }
        return Removal(files: found)
    }

    /// Removes the files, in this order. When another program has changed one of them since, all are left and the command ends.
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
                try fs.sync(String(file.path.prefix { $0 != "/" }))
            }
        }
    }
}
