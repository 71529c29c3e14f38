import Linux
import Store

/// New texts for files in `tasks/` and `schedules/`, written together.
///
/// All texts are durable in `tmp/` before the first takes its place, so that a full disk changes nothing. Each replaces exactly the text
/// that its author has read: a file that another program has changed or created meanwhile is left unchanged. When a later file fails, the
/// error says which files have their new text.
struct DefinitionChange {
    /// The earlier text that the author of a new text has read.
    enum Before: Equatable {
        case nothing
        case text([UInt8])
        /// Something that cannot be read, such as a link.
        case unreadable
    }

    private struct Text {
        /// In the spool: `tasks/backup.toml`.
        let path: String
        let temporary: String
        let before: Before
    }

    private let fs: DiskFileSystem
    private var texts: [Text] = []

    init(_ fs: DiskFileSystem) { self.fs = fs }

    /// Composes a text. After an error none of the texts is left in `tmp/`.
    mutating func add(_ bytes: [UInt8], at path: String, over before: Before) throws(Failure) {
        do throws(SystemError) {
            let temporary = try fs.compose(bytes, for: String(path.split(separator: "/").last ?? "file"))
            texts.append(Text(path: path, temporary: temporary, before: before))
        } catch {
            discard(texts)
            throw Failure(error)
        }
    }

    /// Puts the texts in their places, in the order in which they were added.
    func carryOut() throws(Failure) {
        do throws(Failure) { for text in texts { try check(text) } } catch {
            discard(texts)
            throw error
        }
        for index in texts.indices {
            do throws(Failure) { try put(texts[index]) } catch {
                discard(texts[index...])
                guard index > 0 else { throw error }
                let done = texts[..<index].map(\.path).joined(separator: ", ")
                let rest = texts[index...].map(\.path).joined(separator: ", ")
                throw Failure(error.code, error.lines + ["changed already: \(done); not changed: \(rest)"])
            }
        }
        for directory in Set(texts.map { $0.path.prefix { $0 != "/" } }) {
            try attempt { () throws(SystemError) in try fs.sync(String(directory)) }
        }
    }

    private func put(_ text: Text) throws(Failure) {
        try check(text)
        do throws(SystemError) {
            if text.before == .nothing {
                try fs.renameNoReplace(text.temporary, to: text.path)
            } else {
                try fs.rename(text.temporary, to: text.path)
            }
        } catch {
            if error.errno == SystemError.exists { throw changed(text) }
            throw Failure(error)
        }
    }

    /// Refuses a file that is not what its author has read.
    private func check(_ text: Text) throws(Failure) {
        guard try fs.before(text.path) == text.before else { throw changed(text) }
    }

    private func changed(_ text: Text) -> Failure {
        let what = text.before == .nothing ? "created" : "changed"
        return Failure(ExitCode.failed, "\(text.path) was \(what) by another program meanwhile and is left as it is; try again")
    }

    private func discard(_ texts: some Sequence<Text>) {
        for text in texts { try? fs.removeFile(text.temporary) }  // litter; another error is reported
    }
}

extension DiskFileSystem {
    /// The present content of a file in `tasks/` or `schedules/`.
    func before(_ path: String) throws(Failure) -> DefinitionChange.Before {
        switch try attempt({ () throws(SystemError) in try take(path, limit: Source.bytesMax, ignoringWriters: true) }) {
        case .missing: .nothing
        case .file(_, let bytes): .text(bytes)
        default: .unreadable
        }
    }

    /// Writes a durable text into `tmp/`, for a rename to `file`. Returns its path.
    func compose(_ bytes: [UInt8], for file: String) throws(SystemError) -> String {
        let temporary = "\(Layout.temporary)/\(Base32.encode(.random(in: 0...(.max)), characters: 8)).\(file)"
        try create(temporary, bytes, mode: 0o600)
        try sync(temporary)
        return temporary
    }
}
