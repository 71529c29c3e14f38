import Glibc

/// The only access to the system: reads time-zone files and the names of the available ones.
enum ZoneFiles {
    enum ReadFailure: Error {
        case missing
        /// The text of errno, or the reason why the file was not read.
        case unreadable(String)
    }

    /// The bytes of a regular file. Calls open(2), fstat(2), read(2).
    static func read(_ path: String) throws(ReadFailure) -> [UInt8] {
        // O_NONBLOCK: a FIFO in the place of the file must not block us.
        var descriptor: Int32
        repeat { descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) } while descriptor < 0 && errno == EINTR
        guard descriptor >= 0 else {
            throw errno == ENOENT || errno == ENOTDIR ? .missing : .unreadable(message(errno))
        }
        defer { close(descriptor) }
        var status = stat()
        var result: Int32
        repeat { result = fstat(descriptor, &status) } while result < 0 && errno == EINTR
        guard result == 0 else { throw .unreadable(message(errno)) }
        if status.st_mode & S_IFMT == S_IFDIR { throw .missing }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .unreadable("not a regular file") }

        var bytes: [UInt8] = []
        let most = TimeZoneFile.longestFile + 1
        while bytes.count < most {
            var failure: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: 8192) { buffer, count in
                var result: Int
                repeat { result = Glibc.read(descriptor, buffer.baseAddress, buffer.count) } while result < 0 && errno == EINTR
                failure = result < 0 ? errno : 0
                count = max(result, 0)
            }
            guard failure == 0 else { throw .unreadable(message(failure)) }
            if chunk.isEmpty { break }
            bytes += chunk
        }
        return bytes
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func environment(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }

    /// The target of a symbolic link. Nil when the path is not a link.
    static func link(_ path: String) -> String? {
        let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
            count = max(
                readlink(path, UnsafeMutableRawPointer(buffer.baseAddress!).assumingMemoryBound(to: CChar.self), 4096), 0)
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    /// A path and, as long as the last one is a link, its target. Ends with a path that is not a link, or, for a circle of links,
    /// after as many links as Linux follows.
    static func steps(from path: String) -> [String] {
        var steps = [path]
        var last = path
        while steps.count <= 40, let target = link(last) {
            last = target.hasPrefix("/") ? target : "\(last[..<(last.lastIndex(of: "/") ?? last.startIndex)])/\(target)"
            steps.append(last)
        }
        return steps
    }

    /// The names of the zones below a directory, three levels deep. Used for error messages only, so the cost does not matter.
    static func zoneNames(in directory: String, below prefix: String = "", depth: Int = 0) -> [String] {
        guard depth < 3, let stream = opendir(prefix.isEmpty ? directory : directory + "/" + prefix) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            // Names of zones begin with a capital letter. posix/ and right/ repeat the zones, and the other files are tables.
            guard let first = name.utf8.first, first >= UInt8(ascii: "A"), first <= UInt8(ascii: "Z") else { continue }
            let path = prefix.isEmpty ? name : prefix + "/" + name
            if isDirectory(directory + "/" + path) {
                names += zoneNames(in: directory, below: path, depth: depth + 1)
            } else {
                names.append(path)
            }
        }
        return names
    }

    private static func message(_ code: Int32) -> String {
        String(cString: strerror(code))
    }
}
