import Glibc

/// A directory with several owners.
final class OpenDirectory {
    let opened: Directory

    init(_ directory: consuming Directory) { opened = directory }
}

extension Directory {
    /// Creates a file under a name, possibly in another user's directory, and replaces whatever has that name.
    borrowing func writeFresh(
        _ name: String, _ bytes: [UInt8], mode: UInt32, asOwnerOf directory: OpenDirectory?
    ) throws(SystemError) {
        let file = try makeFresh(name, mode: mode)
        let owner = try directory.map { directory throws(SystemError) in try directory.opened.descriptor.status() }
        do throws(SystemError) {
            try file.write(bytes)
            if let owner, owner.owner != 0 { try file.setOwner(owner.owner, group: owner.group) }
        } catch {
            throw SystemError(call: error.call, path: name, errno: error.errno)
        }
    }

    private borrowing func makeFresh(_ name: String, mode: UInt32) throws(SystemError) -> FileDescriptor {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC
        // Another user might create a new file there each time. If that never ends, only that user's own job loses its record.
        for _ in 0..<16 {
            do throws(SystemError) { return try openFile(name, flags, mode: mode) } catch {
                guard error.errno == EEXIST else { throw error }
            }
            do throws(SystemError) { try unlink(name) } catch {
                if error.errno == EISDIR { try setAside(name) } else if error.errno != ENOENT { throw error }
            }
        }
        throw SystemError(call: "open", path: name, errno: EEXIST)
    }

    /// Renames an existing file whose name is needed.
    borrowing func setAside(_ name: String) throws(SystemError) {
        for number in 1...16 {
            // Somebody may have created the first of these names, but nobody can create all of them.
            let other = number < 8 ? number : Int.random(in: 1 << 32..<1 << 62)
            do throws(SystemError) { return try renameNoReplace(name, to: "\(name).aside\(other)") } catch {
                guard error.errno == EEXIST else { throw error }
            }
        }
        throw SystemError(call: "rename", path: name, errno: EEXIST)
    }
}
