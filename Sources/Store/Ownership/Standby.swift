import Glibc
import Linux

/// A daemon that waits until the serving daemon leaves the spool.
public struct Standby: Sendable, Equatable {
    public var pid: Int32
    public var host: String
    public var version: String
    /// The time since when it waits.
    public var since: Instant

    public init(pid: Int32, host: String, version: String, since: Instant) {
        self.pid = pid
        self.host = host
        self.version = version
        self.since = since
    }

    /// The standbys of the spool at `path`, longest waiting first.
    public static func all(ofSpool path: String) throws(SystemError) -> [Standby] {
        var all: [Standby] = []
        try eachFile(ofSpool: path) { (_, file) throws(SystemError) in
            guard try file.isRecordLocked() else { return }
            let bytes = try file.read(count: 4096, at: 0)
            // A file that somebody has damaged is not reported.
            guard let table = JSON.readableTable(bytes), let standby = Standby(table) else { return }
            all.append(standby)
        }
        return all.sorted { ($0.since, $0.pid) < ($1.since, $1.pid) }
    }

    /// Removes the files of standbys that were killed: nobody holds their locks.
    public static func removeStale(ofSpool path: String) throws(SystemError) {
        try eachFile(ofSpool: path) { (name, file) throws(SystemError) in
            guard try !file.isRecordLocked() else { return }
            try remove(name, ofSpool: path)
        }
    }

    private init?(_ table: Table) {
        guard let pid = table.whole("pid").flatMap({ Int32(exactly: $0) }), let since = table.instant("since") else { return nil }
        self.init(pid: pid, host: table.text("host") ?? "?", version: table.text("version") ?? "?", since: since)
    }

    var json: [UInt8] {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.member("pid", Int(pid))
        writer.member("host", host)
        writer.member("version", version)
        writer.member("since", since)
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// `HOST-PID.json`. The host's name is changed so that it is a valid file name.
    var fileName: String {
        let host = host.map { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") ? $0 : "_" }
        return "\(String(host))-\(pid).json"
    }

    private static func eachFile(
        ofSpool path: String, _ body: (String, borrowing FileDescriptor) throws(SystemError) -> Void
    ) throws(SystemError) {
        let directory = "\(path)/\(Layout.standby)"
        let names: [String]
        do throws(SystemError) { names = try Directory.open(directory).list().map(\.name) } catch {
            // There has never been a standby.
            if error.errno == ENOENT { return }
            throw error
        }
        for name in names where name.hasSuffix(".json") && !Name.isUnfinished(name) {
            do throws(SystemError) {
                try body(name, try FileDescriptor.open("\(directory)/\(name)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
            } catch where error.errno == ENOENT || error.errno == ELOOP {
                // It has disappeared, or is not a file.
            }
        }
    }

    fileprivate static func remove(_ name: String, ofSpool path: String) throws(SystemError) {
        do throws(SystemError) { try Directory.open("\(path)/\(Layout.standby)").unlink(name) } catch where error.errno == ENOENT {}
    }
}

/// A standby's locked file in `state/standby/`. A file that nobody has locked belongs to a process that was killed.
public struct StandbyFile: ~Copyable {
    private let file: FileDescriptor
    private let name: String
    private let spool: String

    /// Creates the file. It gets its name only when it is locked and complete.
    public static func make(_ standby: Standby, spool path: String) throws(SystemError) -> StandbyFile {
        let name = standby.fileName
        do throws(SystemError) { try Directory.open(path).makeDirectory(Layout.standby) } catch where error.errno == EEXIST {}
        // Not in tmp/, where anybody may have created a file of that name.
        let temporary = ".\(name)"
        let file = try Directory.open("\(path)/\(Layout.standby)").openFile(temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        _ = try file.tryRecordLock()
        try file.write(standby.json)
        try Directory.open("\(path)/\(Layout.standby)").rename(temporary, to: name)
        return StandbyFile(file: file, name: name, spool: path)
    }

    private init(file: consuming FileDescriptor, name: String, spool: String) {
        self.file = file
        self.name = name
        self.spool = spool
    }

    public consuming func remove() throws(SystemError) { try Standby.remove(name, ofSpool: spool) }
}
