import Crontabs
import Glibc
import Linux
import Scheduler

/// The places of a machine's crontabs, below a directory that is `/` except in tests.
struct CrontabPaths: Equatable {
    let system: String
    let packages: String
    let users: String
    /// The mark by which cron(8) knows that it has run the `@reboot` lines since the start of the machine.
    let rebootMark: String

    init(root: String) {
        let root = String(root.reversed().drop { $0 == "/" }.reversed())
        system = "\(root)/etc/crontab"
        packages = "\(root)/etc/cron.d"
        users = "\(root)/var/spool/cron/crontabs"
        rebootMark = "\(root)/run/crond.reboot"
    }

    /// True for a name in `packages` that cron(8) reads.
    static func isPackage(_ name: String) -> Bool { CrontabPlace.isSystemName(name) }

    /// True for a name in `users` that is not a temporary file of crontab(1), and no hidden one.
    static func isUser(_ name: String) -> Bool { !name.hasPrefix(".") && !name.hasPrefix("tmp.") }
}

/// A crontab that was opened and checked as cron(8) does it.
enum OpenedCrontab: ~Copyable {
    case file(FileDescriptor, FileStatus)
    /// Somebody is writing the file.
    case busy
    case refused(String)
    case gone
    /// The file is as it was when it was opened last.
    case unchanged

    var isBusy: Bool {
        switch self {
        case .busy: true
        default: false
        }
    }

    /// - Parameter known: the attributes of the path and of the file when it was opened last. They are replaced.
    static func open(_ path: String, _ place: CrontabPlace, since known: inout Attributes?) throws(SystemError) -> OpenedCrontab {
        let before = known
        known = nil
        let name: FileStatus
        do throws(SystemError) { name = try FileStatus.read(path) } catch where error.isMissing { return .gone }
        // Opening a device may do something.
        guard name.kind == .file || name.kind == .symbolicLink else { return .refused("it is \(name.kind.article), not a regular file") }
        if name.kind == .symbolicLink, let why = place.refusal(ofLink: name) { return .refused(why) }
        let file: FileDescriptor
        do throws(SystemError) {
            file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | (place == .system ? 0 : O_NOFOLLOW))
        } catch where error.isMissing {
            return name.kind == .symbolicLink ? .refused("it is a symbolic link to a file that does not exist") : .gone
        }
        let status = try file.status()
        known = Attributes(name: name, file: status)
        if known == before { return .unchanged }
        if let why = place.refusal(name: name, file: status) { return .refused(why) }
        if status.size > CrontabPlace.bytesMax { return .refused("it is \(status.size) bytes; at most \(CrontabPlace.bytesMax) are read") }
        guard file.excludeWriters() else {
            known = nil
            return .busy
        }
        return .file(file, status)
    }

    struct Attributes: Equatable {
        let name: FileStatus
        let file: FileStatus
    }
}
