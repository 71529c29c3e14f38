import Glibc
import Linux
import TestSupport

extension SpoolUnderTest {
    /// True when tests can make containers.
    static let canContain: Bool = {
        guard geteuid() == 0, Commands.has("unshare"), Commands.has("pivot_root"), Commands.has("setpriv") else { return false }
        return (try? Commands.run("unshare", "-m", "-p", "-i", "-u", "--fork", "true"))?.code == 0  // no unshare: said above
    }()

    /// True when users can make containers too.
    static let canContainRootless: Bool = {
        guard canContain else { return false }
        let line = ["--reuid=65532", "--regid=65532", "--clear-groups", "unshare", "-U", "-r", "-m", "-p", "--fork", "true"]
        return (try? Commands.run("setpriv", line))?.code == 0  // no setpriv: canContain says so
    }()

    /// The user of containers, who has no entry in the user database.
    static let containerUser: uid_t = 65532

    /// Starts spoold as process 1 of a container: in namespaces of its own, on a read-only root in which only the directory of the test can
    /// be written, as a user without rights. Waits until it serves.
    ///
    /// - Parameters:
    ///   - mounts: directories that are mounted read-only, each with the directory of this machine that is seen there.
    ///   - isRootless: the user makes the container, and is root in its user namespace, in which nobody else is.
    func startContained(
        _ arguments: [String] = [], as user: uid_t = containerUser, environment: [String] = [], mounts: [String: String] = [:],
        isRootless: Bool = false, awaitingReady: Bool = true
    ) throws {
        try Commands.succeed("chown", "-R", "\(user):\(user)", base)
        forgetNotifications()
        try launch(
            environment: environment, tracer: contained(as: user, mounts: mounts, isRootless: isRootless), arguments: arguments)
        if awaitingReady { try notification("READY=1") }
    }

    /// The words that make a command line run as this user.
    private func words(as user: uid_t) -> [String] {
        ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups", "--no-new-privs", "--bounding-set=-all"]
    }

    /// The command line of a standby as process 1 of another container on the same volume.
    func containedStandby() -> [String] {
        contained(as: Self.containerUser, mounts: [:])
            + ["\(installed)/spoold", "--spool", whole, "--config", configuration, "--standby"]
    }

    /// Runs a program as process 1 of a container whose spool is at another path, and waits until that program, spoold, serves.
    ///
    /// - Parameter volumes: directories that the container can write.
    func startContained(
        program: [String], as user: uid_t, environment: [String], mounts: [String: String], volumes: [String: String]
    ) throws {
        try Commands.succeed("chown", "-R", "\(user):\(user)", base)
        let log = try FileDescriptor.open("\(base)/log", O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        let line = contained(as: user, mounts: mounts, volumes: volumes) + program
        lead(
            try Child(
                line[0], Array(line.dropFirst()), environment: environment + ["NOTIFY_SOCKET=\(base)/notify"], output: log.raw,
                error: log.raw))
        try notification("READY=1")
    }

    private func contained(
        as user: uid_t, mounts: [String: String], volumes: [String: String] = [:], isRootless: Bool = false
    ) -> [String] {
        // Every machine has this directory; in the container's own mount namespace it is another one.
        let root = "/mnt"
        var seen: [(there: String, here: String)] = [("/usr", "/usr"), (Self.programs, Self.programs)]
        if Files.exists("/opt/swift") { seen.append(("/opt/swift", "/opt/swift")) }
        seen += mounts.sorted { $0.key < $1.key }.map { (there: $0.key, here: $0.value) }
        var script = """
            set -e
            mount --make-rprivate /
            mount -t tmpfs -o mode=755 tmpfs \(root)
            cd \(root)
            mkdir proc dev tmp etc old
            for name in bin sbin lib lib64; do ln -s usr/$name $name; done
            for name in null zero full urandom; do : > dev/$name; mount --bind /dev/$name dev/$name; done
            mount -t proc proc proc
            echo 'root:x:0:0:root:/:/bin/sh' > etc/passwd

            """
        for (there, here) in seen {
            script += "mkdir -p .\(there); mount --rbind \(here) .\(there); mount -o remount,bind,ro .\(there)\n"
        }
        for (there, here) in volumes { script += "mkdir -p .\(there); mount --bind \(here) .\(there)\n" }
        script += """
            mkdir -p .\(base)
            mount --bind \(base) .\(base)
            mount -o remount,bind,ro .
            /usr/sbin/pivot_root . old
            umount -l /old
            cd /
            exec \((isRootless ? [] : words(as: user)).joined(separator: " ")) "$@"
            """
        let namespaces = ["-m", "-p", "-i", "-u", "--fork", "--kill-child", "/bin/sh", "-c", script, "sh"]
        guard isRootless else { return ["/usr/bin/unshare"] + namespaces }
        return ["/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user)", "--clear-groups", "/usr/bin/unshare", "-U", "-r"] + namespaces
    }

    /// The process that is process 1 of the container, by its number here.
    func processOne() throws -> pid_t {
        guard let daemon else { throw failure("no container was started") }
        guard let pid = try Processes.children(of: daemon.pid).first else { throw failure("the container has no process") }
        return pid
    }

    /// Sends a signal to process 1 of the container, as `docker kill` does.
    func signalContained(_ number: Int32) throws { kill(try processOne(), number) }

    /// Runs a program in the container, as `docker exec` does.
    func exec(_ line: String..., as user: uid_t = containerUser) throws -> Commands.Result {
        try exec(line, as: user, environment: environment)
    }

    /// The same for a container that a user made, as that user.
    func execRootless(_ line: String...) throws -> Commands.Result {
        let user = Self.containerUser
        let enter = ["--reuid=\(user)", "--regid=\(user)", "--clear-groups", "nsenter", "-t", "\(try processOne())"]
        let spaces = ["-U", "--preserve-credentials", "-m", "-p", "-i", "-u", "-r", "-w"]
        return try Commands.run("setpriv", enter + spaces + line, environment: environment)
    }

    func exec(_ line: [String], as user: uid_t, environment: [String]) throws -> Commands.Result {
        let enter = ["-t", "\(try processOne())", "-m", "-p", "-i", "-u", "-r", "-w", "-S", "\(user)", "-G", "\(user)"]
        return try Commands.run("nsenter", enter + line, environment: environment)
    }
}
