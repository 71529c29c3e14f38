import Glibc
import Linux

/// The copy of a crontab that is edited: the file `crontab` in a new directory below `$TMPDIR` or /tmp, which nobody else can enter. All is
/// done with the rights of the caller.
///
/// Invariant: after it was made, the file is reached through the open directory, without following a link.
struct EditFile: ~Copyable {
    enum Content {
        case unchanged
        case changed([UInt8])
        case unusable(String)
    }

    private static let name = "crontab"

    private let place: String
    private let directory: Directory
    private let original: [UInt8]

    var path: String { "\(place)/\(Self.name)" }

    /// Writes a text into a new file. Says why not and returns nil.
    static func make(_ text: [UInt8]) -> EditFile? {
        // ld.so(8) has removed the variable if the program has the rights of the group.
        let parent = getenv("TMPDIR").map { FileName.string(from: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "/tmp"
        var template = FileName.bytes(of: "\(parent)/crontab.XXXXXX").map { CChar(bitPattern: $0) } + [0]
        guard mkdtemp(&template) != nil else {
            complain("\(parent)/crontab.XXXXXX: \(SystemError.message(errno))")
            return nil
        }
        let place = FileName.string(from: template.dropLast().map { UInt8(bitPattern: $0) })
        do throws(SystemError) {
            let directory = Directory(owning: try .open(place, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
            let file = try directory.openFile(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            try file.setMode(0o600)
            let made = EditFile(place: place, directory: directory, original: text)
            do throws(SystemError) { try file.write(text) } catch {
                made.remove()
                throw error
            }
            return made
        } catch {
            complain("\(place)/\(name): \(error.message)")
            return nil
        }
    }

    private init(place: String, directory: consuming Directory, original: [UInt8]) {
        self.place = place
        self.directory = directory
        self.original = original
    }

    /// The file as the editor left it. An editor may have put another file in its place.
    borrowing func read() -> Content {
        do throws(SystemError) {
            let file = try directory.openFile(Self.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
            let status = try file.status()
            if status.owner != getuid() { return .unusable("Temporary crontab no longer owned by you.") }
            if status.kind != .file { return .unusable("The temporary crontab must remain a regular file") }
            guard let text = NewTab.read(OpenInput(descriptor: file), named: path) else { return .unusable("\(path) was not read") }
            return text == original ? .unchanged : .changed(text)
        } catch {
            if error.errno == ELOOP { return .unusable("The temporary crontab must remain a regular file") }
            return .unusable("Can't open tempfile after edit: \(error.message)")
        }
    }

    /// Says where the edit is.
    borrowing func keep() { complain("\(programName): edits left in \(path)") }

    /// Removes the file if nothing in it was changed, or if an editor has removed it.
    borrowing func keepIfChanged() {
        let isThere = (try? directory.status(Self.name)) != nil  // what cannot be seen cannot be kept
        if case .unchanged = read() { remove() } else if isThere { keep() } else { remove() }
    }

    /// Removes the directory with everything in it, such as an editor's own files.
    borrowing func remove() {
        do throws(SystemError) {
            for entry in try directory.list() { try directory.unlink(entry.name) }
            try Directory.open("/").removeDirectory(String(place.drop { $0 == "/" }))
        } catch {
            complain("\(place): \(error)")
        }
    }
}
