import CLinux
import Glibc
import Linux
import TestSupport

extension String {
    /// The lines of a file that somebody may be writing: a line without its end is not whole yet.
    var wholeLines: [Substring] { self[..<(utf8.lastIndex(of: UInt8(ascii: "\n")) ?? startIndex)].split(separator: "\n") }
}

/// Reads and writes files by their paths, as a shell does.
enum Files {
    static func makeTemporaryDirectory() throws -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        return try TestSupport.makeTemporaryDirectory(in: parent, "spool-test")
    }

    static func makeDirectory(_ path: String) throws {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw SystemError(call: "mkdir", path: path, errno: errno) }
    }

    static func exists(_ path: String) -> Bool { (try? status(path)) != nil }  // a path that cannot be seen counts as missing

    /// The attributes of the name itself: links are not followed.
    static func status(_ path: String) throws -> FileStatus { try Directory.open("/").status(path) }

    static func bytes(_ path: String) throws -> [UInt8] { try FileDescriptor.open(path, O_RDONLY).readAll(limit: .max) }

    static func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

    /// Creates or overwrites a file in place.
    static func write(_ path: String, _ text: String, mode: mode_t = 0o644) throws { try write(path, Array(text.utf8), mode: mode) }

    static func write(_ path: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws {
        try Descriptors.alone {
            let file = try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: mode)
            try file.write(bytes)
            try file.setMode(mode)
        }
    }

    static func append(_ path: String, _ text: String) throws {
        try Descriptors.alone { try FileDescriptor.open(path, O_WRONLY | O_APPEND).write(Array(text.utf8)) }
    }

    static func rename(_ from: String, _ to: String) throws { try Directory.open("/").rename(from, to: to) }

    static func link(_ from: String, _ to: String) throws { try Directory.open("/").link(from, to: to) }

    static func symlink(_ target: String, _ path: String) throws {
        try Directory.open("/").makeSymbolicLink(path, to: target)
    }

    static func remove(_ path: String) throws { try Directory.open("/").unlink(path) }

    static func removeTree(_ path: String) throws { try Directory.open("/").removeTree(path) }

    /// The sorted names in a directory. Empty when there is no directory.
    static func list(_ path: String) throws -> [String] {
        do throws(SystemError) { return try Directory.open(path).list().map(\.name).sorted() } catch {
            if error.errno == ENOENT { return [] }
            throw error
        }
    }

    /// Every name below a directory with its size, for a person who examines a failed test.
    static func tree(_ path: String, indent: String = "") -> String {
        var text = ""
        for name in (try? list(path)) ?? [] {  // gone meanwhile: not shown
            // A mounted file system may never answer.
            if let root = try? Directory.open("/"), (try? root.isMountPoint("\(path)/\(name)")) == true { continue }
            guard let status = try? status("\(path)/\(name)") else { continue }  // likewise
            if status.kind == .directory {
                text += "\(indent)\(name)/\n" + tree("\(path)/\(name)", indent: indent + "  ")
            } else {
                text += "\(indent)\(name)  \(status.size)\n"
            }
        }
        return text
    }
}
