import Linux
import Store

/// Puts files into `tasks/` and `schedules/`, complete and durable; see `JobDrop`.
struct DefinitionWriting {
    let fs: DiskFileSystem
    /// `tasks` or `schedules`.
    let directory: String

    /// Adds a definition. False when another definition has the name.
    func add(_ source: Source, stem: String) throws(Failure) -> Bool {
        try attempt { () throws(SystemError) in
            for ending in ["toml", "json"] where try fs.status("\(directory)/\(stem).\(ending)") != nil { return false }
            let file = "\(stem).\(source.format == .json ? "json" : "toml")"
            let temporary = try fs.compose(source.bytes, for: file)
            do throws(SystemError) { try fs.renameNoReplace(temporary, to: "\(directory)/\(file)") } catch {
                try? fs.removeFile(temporary)  // litter; the first error is reported
                if error.errno == SystemError.exists { return false }
                throw error
            }
            try fs.sync(directory)
            return true
        }
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
