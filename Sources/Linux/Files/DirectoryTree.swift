import CLinux
import Glibc

/// A name in a directory, and the kind of its file.
public struct DirectoryEntry: Sendable, Equatable {
    public var name: String
    public var kind: FileKind

    public init(name: String, kind: FileKind) {
        self.name = name
        self.kind = kind
    }
}

extension Directory {
    /// The names in this directory, in the file system's order, without `.` and `..`; getdents64(2).
    ///
    /// Costs one call for about a thousand names. Names that are created or removed meanwhile may be missing or not; all others are there.
    ///
    /// With `atMost` it stops soon after it has this number of names.
    public borrowing func list(atMost most: Int = .max) throws(SystemError) -> [DirectoryEntry] {
        // This needs a second descriptor, because reading moves the descriptor's position.
        let reading = try openFile(".", O_RDONLY | O_DIRECTORY)
        let raw = reading.raw
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 8)
        defer { buffer.deallocate() }
        var entries: [DirectoryEntry] = []
        while entries.count < most {
            let count = try attempt("getdents64") { linux_getdents64(raw, buffer.baseAddress, buffer.count) }
            if count == 0 { break }
            Directory.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: &entries)
        }
        // Some file systems do not return the kind of a name with it.
        for index in entries.indices where entries[index].kind == .unknown {
            do throws(SystemError) {
                entries[index].kind = try status(entries[index].name).kind
            } catch where error.errno == ENOENT {
                continue  // removed meanwhile: the kind stays unknown
            }
        }
        return entries
    }

    // struct linux_dirent64: u64 inode, s64 offset, u16 record length, u8 type, then the name with a NUL.
    private static func append(_ records: UnsafeRawBufferPointer, to entries: inout [DirectoryEntry]) {
        var position = 0
        while position + 19 < records.count {
            let length = Int(records.loadUnaligned(fromByteOffset: position + 16, as: UInt16.self))
            let nameBytes = UnsafeRawBufferPointer(rebasing: records[position + 19..<position + length])
            let bytes = nameBytes.assumingMemoryBound(to: UInt8.self)
            let name = UnsafeBufferPointer(rebasing: bytes.prefix(strnlen(nameBytes.baseAddress!, nameBytes.count)))
            if !isDots(name) {
                let kind = FileKind(directoryEntryType: records[position + 18])
                entries.append(DirectoryEntry(name: FileName.string(from: name), kind: kind))
            }
            position += length
        }
    }

    private static func isDots(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
        let dot = UInt8(ascii: ".")
        return name.count == 1 && name[0] == dot || name.count == 2 && name[0] == dot && name[1] == dot
    }
}

private func strnlen(_ bytes: UnsafeRawPointer, _ limit: Int) -> Int {
    Glibc.strnlen(bytes.assumingMemoryBound(to: CChar.self), limit)
}

// MARK: - Removing

extension Directory {
    /// Removes a name and everything below it, without following symbolic links. Throws ENOENT when the name is missing.
    ///
    /// Needs no recursion and only two descriptors, however deep the tree is: a directory below the first level is renamed into the first
    /// level before it is removed. Stops at the first error; the rest is then still below `name`. Root takes over a directory of another
    /// user before it reads it, so that the user cannot add files meanwhile.
    public borrowing func removeTree(_ name: String) throws(SystemError) {
        var raised = 0
        while try !removeTree(name, atMost: .max, &raised) {}
    }

    /// Does about `most` steps of such a removal and returns true when it is complete. Each step removes or renames one name. The next call
    /// continues. `raised` is the number of directories that were renamed so far.
    public borrowing func removeTree(_ name: String, atMost most: Int, _ raised: inout Int) throws(SystemError) -> Bool {
        if try removeSingle(name) { return true }
        let top = try openDirectory(name)
        try top.takeOver()
        var left = most
        while left > 0 {
            let entries = try top.list(atMost: left)
            if entries.isEmpty {
                try removeDirectory(name)
                return true
            }
            for entry in entries.prefix(left) {
                left -= 1
                if try top.removeSingle(entry.name) { continue }
                let child = try top.openDirectory(entry.name)
                try child.takeOver()
                for grandchild in try child.list(atMost: max(1, left)).prefix(max(1, left)) {
                    left -= 1
                    if try !child.removeSingle(grandchild.name) { raised = try child.raise(grandchild.name, into: top, after: raised) }
                }
                // A directory that still has content is continued in the next round.
                _ = try top.removeSingle(entry.name)
                if left <= 0 { break }
            }
        }
        return false
    }

    /// If this process is root, gives the directory to root. Other users cannot change it any more, even if they have it open.
    public borrowing func takeOver() throws(SystemError) {
        guard geteuid() == 0, try descriptor.status().owner != 0 else { return }
        try descriptor.setOwner(0, group: 0)
        // This also stops users in an access control list, because the group's bits are the mask of the list.
        try descriptor.setMode(0o700)
    }

    /// Removes a file or an empty directory; false for a directory that has content.
    private borrowing func removeSingle(_ name: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try unlink(name)
            return true
        } catch where error.errno == EISDIR || error.errno == EPERM {
            // unlink(2) fails for a directory with EISDIR on Linux and with EPERM by POSIX. EPERM also means a file that must not be
            // removed.
            if error.errno == EPERM, try status(name).kind != .directory { throw error }
        }
        do throws(SystemError) {
            try removeDirectory(name)
            return true
        } catch where error.isNotEmpty {
            return false
        }
    }

    /// Moves a directory to the first free name of `.1`, `.2` … in `top` after the number `last`, and returns the number.
    private borrowing func raise(_ name: String, into top: borrowing Directory, after last: Int) throws(SystemError) -> Int {
        let (from, to) = (raw, top.raw)
        var number = last
        while true {
            number += 1
            let target = ".\(number)"
            do throws(SystemError) {
                try attempt("rename", at: name) { path in
                    target.withCString { linux_renameat2(from, path, to, $0, LINUX_RENAME_NOREPLACE) }
                }
                return number
            } catch where error.errno == EEXIST {
                continue
            }
        }
    }
}
