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

    func remove(_ files: [String]) throws(Failure) {
        try attempt { () throws(SystemError) in
            for file in files {
                do throws(SystemError) { try fs.removeFile("\(directory)/\(file)") } catch {
                    if error.errno != SystemError.noSuchFile { throw error }
                }
            }
            try fs.sync(directory)
        }
    }
}
