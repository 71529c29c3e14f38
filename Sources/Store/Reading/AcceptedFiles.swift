/// The ids under which files in `new/` were accepted whose names are not ids, from the journal's newest segment. It is read once, when it
/// is first needed.
///
/// Invariant: an id belongs to a file only while the file of that name is still the accepted one.
struct AcceptedFiles<FS: FileSystem> {
    private struct Entry {
        var id: String
        var inode: UInt64
    }

    private let fs: FS
    private var entries: [String: Entry]?

    init(_ fs: FS) { self.fs = fs }

    mutating func id(of file: String) throws(JournalError) -> String? {
        guard let entry = try read()[file], try isWaiting(file, entry) else { return nil }
        return entry.id
    }

    mutating func file(of id: String) throws(JournalError) -> String? {
        for (file, entry) in try read() where entry.id == id {
            if try isWaiting(file, entry) { return file }
        }
        return nil
    }

    private func isWaiting(_ file: String, _ entry: Entry) throws(JournalError) -> Bool {
        do throws(SystemError) { return try fs.status("\(Layout.new)/\(file)")?.inode == entry.inode } catch {
            throw .system(error)
        }
    }

    private mutating func read() throws(JournalError) -> [String: Entry] {
        if let entries { return entries }
        var files: [String: Entry] = [:]
        let newest: String?
        do throws(SystemError) { newest = try Journal<FS>.segments(fs).last } catch { throw .system(error) }
        if let newest {
            try Journal<FS>.read(fs, segment: newest) { line in
                guard line.kind == "accepted", let file = line.bytes("file"), let id = line["id"],
                    let inode = line.integer("inode")
                else { return }
                files[FileName.string(from: file)] = Entry(id: id, inode: UInt64(bitPattern: inode))
            }
        }
        entries = files
        return files
    }
}
