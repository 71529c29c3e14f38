import CLinux
import Glibc
import Linux
import SecureStart

/// The directory of the crontabs, one file for each user: /var/spool/cron/crontabs, mode 1730, root:crontab. A crontab has the mode 0600
/// and belongs to its user and to the group `crontab`.
///
/// The path is fixed when the program is compiled. Whoever could choose it would choose where the right of the group applies.
struct TabDirectory: ~Copyable {
    static let parent = "/var/spool/cron"
    private static let name = "crontabs"

    private let group: CrontabGroup
    private let directory: Directory

    /// Opens the directory. root creates one that is missing.
    static func open(_ group: CrontabGroup) -> TabDirectory {
        makeIfMissing(parent, mode: 0o755)
        let path = "\(parent)/\(name)"
        if makeIfMissing(path, mode: 0o1730, as: name) { giveToGroup(path) }
        do throws(SystemError) {
            // O_PATH, because the group may write into the directory but not list it.
            return TabDirectory(group: group, directory: Directory(owning: try .open(path, LINUX_O_PATH | O_DIRECTORY)))
        } catch {
            if error.errno == ENOTDIR { fail("'\(name)' is not a directory, bailing out.") }
            fail("\(name): \(error.message)")
        }
    }

    @discardableResult
    private static func makeIfMissing(_ path: String, mode: mode_t, as shown: String? = nil) -> Bool {
        let shown = shown ?? path
        guard !FileName.isAccessible(path), errno == ENOENT else { return false }
        complain("\(shown): \(SystemError.message(ENOENT))")
        if getuid() != 0 { exit(1) }
        guard mkdir(path, 0o700) == 0, chmod(path, mode) == 0 else { fail("\(shown): mkdir: \(SystemError.message(errno))") }
        complain("\(shown): created")
        return true
    }

    private static func giveToGroup(_ path: String) {
        let number = (try? Group.number(of: "crontab")) ?? nil  // said just below
        guard let number, chown(path, .max, number) == 0 else { fail("\(name): there is no group crontab") }
        complain("\(name): chowned")
    }

    private init(group: CrontabGroup, directory: consuming Directory) {
        self.group = group
        self.directory = directory
    }

    // MARK: Reading

    /// The crontab of a user, open for reading. Nil when there is none. Ends the program when it is not a regular file.
    borrowing func openTab(of user: User) throws(SystemError) -> FileDescriptor? {
        guard let kind = try kind(of: user) else { return nil }
        if kind != .file { fail("crontabs/\(user.name): it is \(kind.article), not a regular file") }
        group.begin()
        defer { group.end() }
        return try openCurrent(user)
    }

    /// The kind of file that has the name of the user's crontab. Nil when there is none.
    borrowing func kind(of user: User) throws(SystemError) -> FileKind? {
        group.begin()
        defer { group.end() }
        do throws(SystemError) { return try directory.status(user.name).kind } catch where error.errno == ENOENT { return nil }
    }

    /// Opens the crontab without waiting: root may have made a FIFO of its name. Nil when the name has no regular file.
    private borrowing func openCurrent(_ user: User) throws(SystemError) -> FileDescriptor? {
        do throws(SystemError) {
            // Opening a device may do something.
            guard try directory.status(user.name).kind == .file else { return nil }
            let file = try directory.openFile(user.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
            guard try file.status().kind == .file else { return nil }
            return file
        } catch {
            if [ENOENT, ELOOP].contains(error.errno) { return nil }
            throw error
        }
    }

    // MARK: Changing

    /// What the crontab must be when it is replaced.
    enum Expectation {
        case anything
        /// The text of the file, header included; nil: there is none.
        case text([UInt8]?)
    }

    enum Failure: Error {
        /// The crontab is not as it was expected.
        case changed
        case creation(SystemError)
        case system(SystemError)
    }

    /// Replaces the crontab of a user by a text, as a whole. It is on the disk when this returns. Signals wait meanwhile, so that no
    /// temporary file remains.
    borrowing func replace(_ text: [UInt8], of user: User, over expected: Expectation) throws(Failure) {
        let mask = Self.blockSignals()
        group.begin()
        defer {
            group.end()
            Self.restoreSignals(mask)
        }
        let current: FileDescriptor?
        do throws(SystemError) { current = try lockCurrent(user) } catch { throw .system(error) }
        if case .text(let expectedText) = expected {
            let found: [UInt8]?
            do throws(SystemError) { found = try current?.readAll(limit: NewTab.storedBytesMax) } catch { throw .system(error) }
            if found != expectedText { throw .changed }
        }
        let temporary: Temporary
        do throws(SystemError) { temporary = try makeTemporary() } catch { throw .creation(error) }
        do throws(SystemError) {
            try temporary.file.setMode(0o600)
            if getuid() == 0 { try temporary.file.setOwner(user.id, group: directory.descriptor.status().group) }
            try temporary.file.write(text)
            try temporary.file.sync()
            if case .text(nil) = expected {
                try directory.renameNoReplace(temporary.name, to: user.name)
            } else {
                try directory.rename(temporary.name, to: user.name)
            }
        } catch {
            try? directory.unlink(temporary.name)  // what failed before is reported; a name that begins with a dot is nobody's crontab
            if error.errno == EEXIST { throw .changed }
            throw .system(error)
        }
        // The group may not open the directory to sync it. The file's own metadata is in the same transaction as its new name.
        try? temporary.file.sync()  // the new crontab is in place; the next sync of the file system reports a broken disk
    }

    /// Removes the crontab of a user.
    borrowing func remove(_ user: User) throws(SystemError) {
        group.begin()
        defer { group.end() }
        let current = try? lockCurrent(user)  // what cannot be locked can be removed, and unlink(2) says the rest
        try directory.unlink(user.name)
        _ = consume current
    }

    /// Takes the lock of the crontab. Each process that replaces or removes the crontab holds it, so that nothing is lost between the
    /// comparison and the rename of an edit. Nil when there is no crontab, and when its name has something else than a regular file, which
    /// a crontab may replace. A holder that somebody has stopped holds the others up for ten seconds, not for ever.
    private borrowing func lockCurrent(_ user: User) throws(SystemError) -> FileDescriptor? {
        while let file = try openCurrent(user) {
            let error = secure_lock(file.raw, 10)
            if error == EINTR { return file }
            if error != 0 { throw SystemError(call: "flock", path: user.name, errno: error) }
            // Meanwhile another crontab may have got the name.
            guard let now = try? directory.status(user.name), let locked = try? file.status() else { continue }  // the next round says why
            if now.inode == locked.inode, now.device == locked.device { return file }
        }
        return nil
    }

    private struct Temporary: ~Copyable {
        let name: String
        let file: FileDescriptor
    }

    private borrowing func makeTemporary() throws(SystemError) -> Temporary {
        while true {
            // Neither cron nor spoold reads a file whose name begins with a dot.
            let name = ".tmp.\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
            do throws(SystemError) {
                return Temporary(name: name, file: try directory.openFile(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600))
            } catch where error.errno == EEXIST { continue }
        }
    }

    private static func blockSignals() -> sigset_t {
        var all = sigset_t(), before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, &before)
        return before
    }

    private static func restoreSignals(_ mask: sigset_t) {
        var mask = mask
        pthread_sigmask(SIG_SETMASK, &mask, nil)
    }
}
