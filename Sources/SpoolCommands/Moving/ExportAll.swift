import Glibc
import Linux
import Store

/// `export --all DIR`: the files of all tasks, as `apply` reads them.
///
/// Each file is composed beside its place and renamed, so that it is the old or the new one at any instant. Files that are the same are
/// left alone, and no file of DIR is removed.
struct ExportAll {
    private let session: Session
    private let path: String

    init(_ session: Session, to path: String) {
        self.session = session
        self.path = path
    }

    func run() throws(Failure) -> Int32 {
        let part = try session.partOfNamedUser()
        let spool = Spool(try part.openSpool(), host: "")
        var written: [(name: String, isChanged: Bool)] = []
        var code = ExitCode.done
        for (place, directory) in [(Layout.tasks, path), (Layout.schedules, "\(path)/\(Layout.schedules)")] {
            let files = try attempt { () throws(SystemError) in try spool.definitionFiles(in: place) }.sorted { $0.key < $1.key }
            var texts: [(name: String, bytes: [UInt8])] = []
            for name in files.flatMap({ $0.value.sorted() }) {
                let taken = try attempt { () throws(SystemError) in
                    try spool.fs.take("\(place)/\(name)", limit: Source.bytesMax, ignoringWriters: false)
                }
                guard case .file(_, let bytes) = taken else {
                    session.complain("\(place)/\(name): not exported: it is no regular file, is too large, or is being written")
                    code = ExitCode.failed
                    continue
                }
                texts.append((name, bytes))
            }
            if texts.isEmpty, place == Layout.schedules { continue }
            // Written with the caller's rights.
            try part.asCaller { () throws(Failure) in
                try attempt { () throws(SystemError) in try makeDirectories(directory) }
                let target = try attempt { () throws(SystemError) in try Directory.open(directory) }
                for text in texts {
                    let isChanged = try attempt { () throws(SystemError) in try Self.write(text.bytes, text.name, in: target) }
                    written.append((place == Layout.tasks ? text.name : "\(place)/\(text.name)", isChanged))
                }
                try attempt { () throws(SystemError) in try target.sync() }
                if place == Layout.tasks { try remark(on: target, Set(texts.map(\.name))) }
            }
        }
        report(written)
        return code
    }

    /// Returns false when the file has this text already.
    private static func write(_ bytes: [UInt8], _ name: String, in directory: borrowing Directory) throws(SystemError) -> Bool {
        // A file that cannot be read differs.
        if let old = try? directory.readFile(name, limit: Source.bytesMax + 1), old == bytes { return false }
        let temporary = ".\(name).\(getpid()).tmp"
        do throws(SystemError) {
            // Nobody else's file of that name is written to.
            let file = try directory.openFile(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try file.write(bytes)
            try file.sync()
            try directory.rename(temporary, to: name)
        } catch {
            try? directory.unlink(temporary)  // litter; the first error is reported
            throw error
        }
        return true
    }

    /// Says which files of DIR are no tasks of the spool: the export leaves them alone.
    private func remark(on directory: borrowing Directory, _ exported: Set<String>) throws(Failure) {
        let entries = try attempt { () throws(SystemError) in try directory.list() }
        let others = entries.map(\.name).filter { name in
            !Name.isUnfinished(name) && (name.hasSuffix(".toml") || name.hasSuffix(".json")) && !exported.contains(name)
        }
        guard !others.isEmpty else { return }
        session.complain("\(path) also has \(others.sorted().joined(separator: ", ")), which the spool lacks")
    }

    private func report(_ written: [(name: String, isChanged: Bool)]) {
        if session.isJSON {
            session.output.jsonArray(written) { writer, one in
                writer.member("file", "\(path)/\(one.name)")
                writer.member("changed", one.isChanged)
            }
            return
        }
        for one in written where one.isChanged { session.output.line("\(path)/\(one.name)") }
        let changed = written.count { $0.isChanged }
        if !session.isQuiet { session.complain("\(changed) written, \(written.count - changed) the same") }
    }
}
