import CLinux
import Glibc

/// The user as whom this process reads files.
///
/// Most processes read as their effective user, geteuid(2), and the kernel checks what that user may read. A process with
/// CAP_DAC_READ_SEARCH may read every file, capabilities(7), so it can read in the place of root under another user. Where root becomes a
/// user to read that user's files, seteuid(2), such a process reads them in the place of that user, and the kernel checks nothing. So this
/// type does: a file that the process opens must belong to the user, wherever links have led, and is closed unread otherwise. A directory
/// may also be root's, because root's directories and links lead to the user's.
public enum Reader {
    private struct Place {
        var user: uid_t
        var group: gid_t
        /// The directory in which the user's files are. The user has no say in what is opened elsewhere. Nil in the place of root.
        var directory: String?
    }

    /// Nil in a process that reads as its effective user. Changes only while the process has one thread.
    nonisolated(unsafe) private static var place: Place?

    public static var user: uid_t { place?.user ?? geteuid() }
    public static var group: gid_t { place?.group ?? getegid() }

    /// True in a process of root's, or in the place of root's, whichever user it reads as now.
    public static var isRoots: Bool { place != nil || getuid() == 0 }

    /// True while a process of root's, or in the place of root's, reads as another user.
    public static var isAnother: Bool { isRoots && user != 0 }

    /// True in a process that reads in the place of root.
    public static var isInPlaceOfRoot: Bool { place != nil }

    /// From now on this process reads in the place of root, if it may read every file and is not root.
    public static func takePlaceOfRoot() {
        if geteuid() != 0, linux_may_read_all() == 1 { place = Place(user: 0, group: 0, directory: nil) }
    }

    /// Calls `body` while this process, which is root or in the place of root, reads as another user the user's files, which are in a
    /// directory. See ``Credentials/acting(_:)`` for root.
    public static func reading<Value, Failure: Error>(
        as credentials: Credentials, in directory: String, _ body: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        guard let before = place else { return try credentials.acting(body) }
        place = Place(user: credentials.user, group: credentials.group, directory: directory)
        defer { place = before }
        return try body()
    }

    /// Throws unless a file that was just opened is one of the user in whose place it is read. A path that is not absolute was opened in
    /// a directory that is open.
    static func check(_ raw: Int32, of path: String) throws(SystemError) {
        guard let place, let directory = place.directory, !path.hasPrefix("/") || path.hasPrefix("\(directory)/") else { return }
        var status = stat()
        guard fstat(raw, &status) == 0 else { throw SystemError(call: "fstat", path: path, errno: errno) }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        guard status.st_uid == place.user || isDirectory && status.st_uid == 0 else {
            throw SystemError(call: "open", path: path, errno: EACCES)
        }
    }
}
