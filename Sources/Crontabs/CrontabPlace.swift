import Linux

/// The location of a crontab. It decides whose the crontab is and which files cron(8) accepts there, as in database.c of Debian's
/// cron.
public enum CrontabPlace: Sendable, Equatable {
    /// The maximum size of a crontab that is read. One with 100,000 lines has less.
    public static let bytesMax = 16 << 20

    /// `/etc/crontab` and the files of `/etc/cron.d`. They belong to root, and each line names a user.
    case system
    /// `/var/spool/cron/crontabs/NAME`.
    case user(name: String, id: UInt32)

    /// The reason why cron would not read the file, or nil when cron would read it.
    ///
    /// - Parameters:
    ///   - name: the status of the path itself, without following a link.
    ///   - file: the status of the opened file.
    public func refusal(name: FileStatus, file: FileStatus) -> String? {
        if name.kind == .symbolicLink, let why = refusal(ofLink: name) { return why }
        var owners: [UInt32] = [0]
        if case .user(_, let id) = self { owners.append(id) }
        if file.kind != .file { return "it is not a regular file" }
        if !owners.contains(file.owner) {
            return "it belongs to user \(file.owner), and cron wants it to be \(isSystem ? "root's" : "its user's or root's")"
        }
        switch self {
        case .system where file.mode & 0o022 != 0: return "its mode \(octal(file.mode)) lets others than root write to it; chmod go-w"
        case .user where file.mode != 0o600: return "its mode is \(octal(file.mode)), and cron wants 0600"
        default: break
        }
        if file.links != 1 { return "it has \(file.links) hard links, and cron wants one" }
        return nil
    }

    /// The reason why cron would not follow a symbolic link, or nil when cron would.
    public func refusal(ofLink link: FileStatus) -> String? {
        guard isSystem else { return "it is a symbolic link, which cron does not follow here" }
        return link.owner == 0 ? nil : "it is a symbolic link of user \(link.owner), and cron follows root's alone"
    }

    private var isSystem: Bool { self == .system }
    private func octal(_ mode: UInt32) -> String { "0\(String(mode, radix: 8))" }

    /// cron reads those files of `/etc/cron.d` whose names consist of letters, digits, `_` and `-`, as run-parts(8) does.
    public static func isSystemName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x5F || $0 == 0x2D
        }
    }
}
