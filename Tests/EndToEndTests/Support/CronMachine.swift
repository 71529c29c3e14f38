import CLinux
import Glibc
import Linux
import Testing

/// A machine for the programs that write into /var/spool and read /etc: a mount namespace in which both, and /dev, are directories of the
/// test. The paths in the programs are fixed, so nothing else can be put in their places.
final class CronMachine {
    /// Which program is /usr/bin/crontab, and so for at.
    enum Programs: CaseIterable {
        case debians, ours
    }

    /// True when this process can make such machines and Debian's programs are installed.
    static let isHere: Bool = {
        guard TestUser.areHere, Commands.has("unshare"), (try? Group.number(of: "crontab")) ?? nil != nil else { return false }
        return access("/usr/bin/crontab", X_OK) == 0
    }()

    static let reason: Comment = "needs root, unshare, and Debian's cron with the group crontab"

    let base: String
    private let programs: Programs
    private let log: NotificationSocket

    /// - Parameter names: the programs that are replaced by ours, which get the mode and the group of Debian's.
    init(_ programs: Programs = .ours, names: [String] = ["crontab"]) throws {
        self.programs = programs
        base = try Files.makeTemporaryDirectory()
        guard chmod(base, 0o755) == 0 else { throw SystemError(call: "chmod", path: base, errno: errno) }
        let setup = """
            cd \(base) && umask 022 && mkdir -p spool/cron dev/pts bin && cp -a /etc etc && rm -f etc/cron.allow etc/cron.deny &&
            mkdir -m 1777 home && chown games:games home && install -d -m 1730 -o root -g crontab spool/cron/crontabs &&
            cp -a /dev/null /dev/zero /dev/full /dev/tty /dev/urandom /dev/random /dev/ptmx dev/ && ln -s /proc/self/fd dev/fd &&
            ln -s /proc/self/fd/0 dev/stdin && { [ ! -d /var/spool/cron/atjobs ] || {
            install -d -m 1770 -o daemon -g daemon spool/cron/atjobs spool/cron/atspool &&
            install -m 600 -o daemon -g daemon /dev/null spool/cron/atjobs/.SEQ &&
            rm -f etc/at.allow && : > etc/at.deny && chmod 644 etc/at.deny; }; }
            """
        try Commands.succeed("sh", "-c", setup)
        log = try NotificationSocket(path: "\(base)/dev/log")
        _ = chmod("\(base)/dev/log", 0o666)
        if programs == .ours {
            for name in names {
                let program = "\(base)/bin/\(name)"
                // at and its like are links to spoolctl.
                let own = name == "crontab" ? name : "spoolctl"
                try Commands.succeed("cp", "\(SpoolUnderTest.programs)/\(own)", program)
                let theirs = try Files.status("/usr/bin/\(name)")
                // at has no right of its own.
                guard name == "at" || chown(program, 0, theirs.group) == 0 && chmod(program, 0o2755) == 0 else {
                    throw SystemError(call: "chown", path: program, errno: errno)
                }
            }
        }
    }

    deinit { try? Files.removeTree(base) }  // litter at worst

    var crontabs: String { "\(base)/spool/cron/crontabs" }

    /// Runs a line of the shell as a user, nil for root, with the directory `home` as the current one.
    func run(_ line: String, as user: TestUser? = .games, input: String = "", environment: [String] = []) throws -> Commands.Result {
        try Commands.run("unshare", arguments(line, user), input: input, environment: environment + surroundings(user))
    }

    func start(_ line: String, as user: TestUser? = .games, input: String = "", environment: [String] = []) throws -> Commands.Running {
        try Commands.Running("unshare", arguments(line, user), input: input, environment: environment + surroundings(user))
    }

    /// Runs a line of the shell on a terminal, of which it does not become the controlling one.
    func start(_ line: String, as user: TestUser = .games, on terminal: Terminal, environment: [String] = []) throws -> Child {
        try Child(
            "/usr/bin/unshare", arguments(line, user), environment: environment + surroundings(user), input: terminal.raw,
            output: terminal.raw, error: terminal.raw)
    }

    private func surroundings(_ user: TestUser?) -> [String] {
        ["LOGNAME=\(user?.name ?? "root")", "TZ=UTC", "PATH=/usr/bin:/bin:/usr/sbin:/sbin"]
    }

    private func arguments(_ line: String, _ user: TestUser?) -> [String] {
        var mounts = [
            "mount --rbind /dev/pts \(base)/dev/pts", "mount --rbind \(base)/dev /dev", "mount --bind \(base)/spool /var/spool",
            "mount --bind \(base)/etc /etc",
        ]
        if programs == .ours {
            for name in (try? Files.list("\(base)/bin")) ?? [] {  // made by init
                mounts.append("mount --bind \(base)/bin/\(name) /usr/bin/\(name)")
            }
        }
        let become = user.map { "exec setpriv --reuid=\($0.id) --regid=\($0.id == 5 ? 60 : $0.id) --init-groups sh -c \"$1\"" }
        return ["-m", "--propagation", "private", "sh", "-c",
            mounts.joined(separator: " && ")
                + " && cd \(base)/home && export HOME=\(base)/home && \(become ?? "exec sh -c \"$1\"")", "sh", line]
    }

    /// The crontab of a user as a file; nil when there is none.
    func tab(of user: String) throws -> String? {
        Files.exists("\(crontabs)/\(user)") ? try Files.text("\(crontabs)/\(user)") : nil
    }

    /// The names in the directory of the crontabs. A temporary file is one of them.
    func names() throws -> [String] { try Files.list(crontabs).sorted() }

    /// Fills the system's log, so that it takes no line until ``logged()``.
    func fillLog() throws { try log.fill() }

    /// The lines that were written to the system's log since the last call, without their times and process numbers.
    func logged() -> [String] {
        var lines: [String] = []
        while let line = log.receive() {
            let parts = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: true)
            guard parts.count == 4, let end = parts[0].firstIndex(of: ">") else { continue }
            let tag = parts[3].drop { $0 != "[" }.prefix { $0 != "]" }
            lines.append("\(parts[0][...end]) \(parts[3].replacing(tag + "]", with: ""))")
        }
        return lines
    }
}
