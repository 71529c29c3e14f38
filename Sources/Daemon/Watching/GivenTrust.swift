import CLinux
import Glibc
import Linux

/// The rules for the files of `--tasks` and `--crontab`: nobody but root and the daemon's own user decides on their content, or on the
/// file to which a path leads.
///
/// What this process sees on a mount that is read-only is exempt: in a container, owner and mode of a volume may be those of another
/// machine. This says nothing about processes that see the same files through another mount, and whether there are any cannot be known
/// here: spoold(8) says so.
package enum GivenTrust {
    /// The reason why the names in a directory are not obeyed, as an end of a sentence about it. Nil when they are.
    static func objection(toDirectory path: String) throws(SystemError) -> String? {
        let directory = try FileDescriptor.open(path, O_RDONLY | O_DIRECTORY)
        return objection(to: try directory.status(), directory)
    }

    /// The reason why an opened file is not obeyed, as an end of a sentence about it. Nil when it is.
    static func objection(to status: FileStatus, _ file: borrowing FileDescriptor) -> String? {
        if isReadOnly(file) { return nil }
        guard isTrusted(status) else { return "belongs to user \(status.owner); chown it to root, or mount it read-only" }
        guard status.mode & 0o022 == 0 else { return "can be written by others than its owner; chmod go-w it, or mount it read-only" }
        return nil
    }

    /// The reason why the file or directory at a path is not obeyed: somebody else can replace a directory, or have a symbolic link lead
    /// elsewhere, on the way, or can put another file into the place of the last one. A way that cannot be checked to its end is not
    /// obeyed either. Nil when nobody can.
    ///
    /// - Parameter trusted: the names of other ways that were found trusted in the same look. Adds those of this way.
    package static func objection(toWayOf path: String, _ trusted: inout Set<WatchedNames.Name>) -> String? {
        do throws(SystemError) {
            let way = WatchedNames.way(of: path)
            if let error = way.error { throw error }
            // From the top on: the first cause is named.
            for name in way.directories.union(way.names).subtracting(trusted).sorted() {
                if let why = try objection(to: name) { return why }
                trusted.insert(name)
            }
            return nil
        } catch {
            return "is not reached by a way that can be checked: \(error)"
        }
    }

    private static func objection(to name: WatchedNames.Name) throws(SystemError) -> String? {
        let full = name.directory == "/" ? "/\(name.name)" : "\(name.directory)/\(name.name)"
        // A directory may be searched by spoold and not be listed.
        let directory = try FileDescriptor.open(name.directory, LINUX_O_PATH | O_DIRECTORY)
        let above = try directory.status()
        let status = try FileStatus.read(full)
        if isReadOnly(directory) { return nil }
        // A file or directory on which something is mounted cannot be renamed or removed here. Nothing is mounted on a symbolic link.
        if status.kind != .symbolicLink, try isReadOnly(FileDescriptor.open(full, LINUX_O_PATH | O_NOFOLLOW)) { return nil }
        // In a sticky directory nobody replaces what belongs to somebody else.
        guard isTrusted(above), above.mode & 0o022 == 0 || above.mode & 0o1000 != 0 else {
            return """
                is in \(name.directory), in which others than root and spoold's user can write; \
                chown that to root and chmod go-w it, or mount it read-only
                """
        }
        if [.symbolicLink, .directory].contains(status.kind), !isTrusted(status) {
            let kind = status.kind.article
            return "is reached by \(full), \(kind) of user \(status.owner); chown -h it to root, or mount it read-only"
        }
        return nil
    }

    private static func isTrusted(_ status: FileStatus) -> Bool { status.owner == 0 || status.owner == geteuid() }

    private static func isReadOnly(_ file: borrowing FileDescriptor) -> Bool {
        var system = statvfs()
        return fstatvfs(file.raw, &system) == 0 && system.f_flag & UInt(ST_RDONLY) != 0
    }
}
