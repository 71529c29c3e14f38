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
            let temporary = try compose(source.bytes, file)
            do throws(SystemError) { try fs.renameNoReplace(temporary, to: "\(directory)/\(file)") } catch {
                try? fs.removeFile(temporary)  // litter; the first error is reported
                if error.errno == SystemError.exists { return false }
                throw error
            }
            try fs.sync(directory)
            return true
        }
    }

    /// Replaces the text of a definition.
    func replace(_ bytes: [UInt8], file: String) throws(Failure) {
        try attempt { () throws(SystemError) in
            try fs.rename(try compose(bytes, file), to: "\(directory)/\(file)")
            try fs.sync(directory)
        }
    }

    /// A durable text in tmp/, and the file that it is to become.
    struct Composed {
        fileprivate let temporary: String
        fileprivate let file: String
    }

    /// Composes several texts. After an error none of them is left.
    func compose(_ files: [(file: String, bytes: [UInt8])]) throws(Failure) -> [Composed] {
        var composed: [Composed] = []
        do throws(Failure) {
            for one in files {
                try attempt { () throws(SystemError) in
                    composed.append(Composed(temporary: try compose(one.bytes, one.file), file: one.file))
                }
            }
        } catch {
            discard(composed)
            throw error
        }
        return composed
    }

    func discard(_ composed: [Composed]) {
        for one in composed { try? fs.removeFile(one.temporary) }  // litter; another error is reported
    }

    /// Renames composed texts into place, over the present files.
    func put(_ composed: [Composed]) throws(Failure) {
        guard !composed.isEmpty else { return }
        try attempt { () throws(SystemError) in
            for one in composed { try fs.rename(one.temporary, to: "\(directory)/\(one.file)") }
            try fs.sync(directory)
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

    private func compose(_ bytes: [UInt8], _ file: String) throws(SystemError) -> String {
        let temporary = "\(Layout.temporary)/\(Base32.encode(.random(in: 0...(.max)), characters: 8)).\(file)"
        try fs.create(temporary, bytes, mode: 0o600)
        try fs.sync(temporary)
        return temporary
    }
}
