import CLinux
import Glibc
import Linux
import TestSupport

/// A fresh directory on one file system, for spools. Nothing in it is removed before ``remove()``.
final class Place {
    /// The file system's name: `tmpfs`, `ext4`.
    let name: String
    let path: String
    private var made = 0

    var isMemory: Bool { name == "tmpfs" }

    init(in parent: String) throws {
        name = try Self.fileSystem(of: parent)
        path = try makeTemporaryDirectory(in: parent, "spoold-benchmarks")
    }

    /// Creates an empty directory.
    func fresh(_ purpose: String) throws -> String {
        made += 1
        let name = "\(purpose)-\(made)"
        try Directory.open(path).makeDirectory(name)
        return "\(path)/\(name)"
    }

    /// Creates a spool that no daemon has served yet, with the directories that a measure needs before a daemon starts.
    func freshSpool() throws -> String {
        let spool = try fresh("spool")
        let directory = try Directory.open(spool)
        for name in ["new", "tmp", "tasks", "done", "failed"] { try directory.makeDirectory(name) }
        return spool
    }

    /// Writes all data to the disk, syncfs(2), so that the next measure does not wait for it.
    func settle() throws {
        let directory = try Directory.open(path)
        if linux_syncfs(directory.raw) != 0 { throw SystemError(call: "syncfs", path: path, errno: errno) }
    }

    func remove() throws {
        guard let slash = path.lastIndex(of: "/") else { return }
        try Directory.open(String(path[..<slash])).removeTree(String(path[path.index(after: slash)...]))
    }

    // MARK: File systems

    /// The places for measures: the requested directory, or else a tmpfs and a disk if they exist.
    static func all(_ options: Options) throws -> [Place] {
        if let directory = options.directory { return [try Place(in: directory)] }
        var parents: [String] = []
        if (try? fileSystem(of: "/dev/shm")) == "tmpfs" { parents.append("/dev/shm") }  // some systems have none
        let disks = [getenv("TMPDIR").map { String(cString: $0) }, "/var/tmp"].compactMap { $0 }
        // A directory that cannot be read is left out.
        if let disk = disks.first(where: { ((try? fileSystem(of: $0)) ?? "tmpfs") != "tmpfs" }) { parents.append(disk) }
        var places: [Place] = []
        do {
            for parent in parents { places.append(try Place(in: parent)) }
        } catch {
            for place in places { try place.remove() }
            throw error
        }
        return places
    }

    private static func fileSystem(of path: String) throws -> String {
        var status = statfs()
        guard statfs(path, &status) == 0 else { throw SystemError(call: "statfs", path: path, errno: errno) }
        // statfs(2)
        return switch UInt32(truncatingIfNeeded: status.f_type) {
        case 0x0102_1994: "tmpfs"
        case 0xEF53: "ext4"
        case 0x9123_683E: "btrfs"
        case 0x5846_5342: "xfs"
        case 0x794C_7630: "overlayfs"
        default: "0x" + String(UInt32(truncatingIfNeeded: status.f_type), radix: 16)
        }
    }
}
