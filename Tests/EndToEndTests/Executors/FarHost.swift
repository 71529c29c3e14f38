// Other hosts for the executor ssh: real sshd's with their own keys, homes and ports, on this machine.

import CLinux
import Glibc
import Linux
import TestSupport
import Testing

/// A host that ssh reaches under a name of its own: an sshd with its keys and a home. The user is that of the test.
final class FarHost {
    let name: String
    let base: String
    /// The home of the user there.
    var home: String { "\(base)/home" }
    /// Kills a process of the wrapper of the only job there: `pid`, or `keeper`.
    func killPart(_ process: String) throws {
        let mark = "\(home)/.spoold/\(try jobs[0])/started.1"
        let inotify = try Inotify()
        _ = try inotify.add(mark, [.created, .closedAfterWriting])
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        var events: [InotifyEvent] = []
        // The command may run before the wrapper has written the number of its keeper.
        while true {
            _ = try inotify.readEvents(into: &events)
            let text = (try? Files.text("\(mark)/\(process)")) ?? ""  // not there yet
            if text.hasSuffix("\n"), let found = pid_t(text.dropLast()) {
                kill(found, SIGKILL)
                try Processes.awaitEnd(of: found)
                return
            }
            guard awaitReadable([inotify.descriptor.raw], until: end) else {
                throw WaitFailed(description: "no number in \(mark)/\(process)")
            }
        }
    }

    /// The directories of jobs there.
    var jobs: [String] { get throws { try Files.list("\(home)/.spoold").filter { !$0.hasPrefix(".") } } }

    let port: UInt16
    let address: String
    /// The link over which the caller reaches it. Nil for this machine's own.
    var link: SlowLink?
    private let force: String?
    private let namespace: NetworkNamespace?
    private var server: Child?

    static let areHere = Commands.has("sshd") && Commands.has("ssh") && Commands.has("ssh-keygen")
    static let reason: Comment = "needs sshd, ssh and ssh-keygen"

    /// `force` is a command of the shell that runs in place of the caller's, `$SSH_ORIGINAL_COMMAND`. `start` is what `.bashrc` holds.
    init(_ name: String, force: String? = nil, startFile: String? = nil, in namespace: NetworkNamespace? = nil) throws {
        self.name = name
        self.force = force
        self.namespace = namespace
        base = try Files.makeTemporaryDirectory()
        address = namespace?.address ?? "127.0.0.1"
        port = try Self.freePort()
        try Files.makeDirectory(home)
        if let startFile { try Files.write("\(home)/.bashrc", startFile) }
        for key in ["host", "user"] { try Commands.succeed("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "\(base)/\(key)") }
        try trustHostKey()
        try start()
    }

    deinit {
        stop()
        try? Files.removeTree(base)  // litter in the temporary directory at worst
    }

    /// A port that nobody takes while the server is down either: below those that the kernel hands out itself, which are 32768 and more,
    /// and below those of Tests/slurm/cluster. Each is for one host of this process alone.
    private static func freePort() throws -> UInt16 {
        let socket = FileDescriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        for _ in 0..<portRange.count {
            let port = ports.next(in: portRange)
            address.sin_port = port.bigEndian
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
            if result == 0 { return port }
            guard errno == EADDRINUSE else { throw SystemError(call: "bind", errno: errno) }
        }
        throw SystemError(call: "bind", errno: EADDRINUSE)
    }

    private static let portRange: Range<UInt16> = 10_000..<20_000
    private static let ports = Ports()

    /// Gives each port once, beginning at one that other test processes hardly begin at.
    private final class Ports: @unchecked Sendable {
        private var given = Int(getpid()) * 97

        func next(in range: Range<UInt16>) -> UInt16 {
            Descriptors.alone {
                given += 1
                return range.lowerBound + UInt16(given % range.count)
            }
        }
    }

    // MARK: The server

    /// Writes the keys that the caller knows: those that the host has now.
    func trustHostKey() throws {
        let key = try Files.text("\(base)/host.pub").split(separator: " ").prefix(2).joined(separator: " ")
        try Files.write("\(base)/known", "[\(address)]:\(port) \(key)\n")
    }

    /// Gives the host another key, as after a new installation or in an attack.
    func changeHostKey() throws {
        stop()
        for file in ["host", "host.pub"] { try Files.remove("\(base)/\(file)") }
        try Commands.succeed("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "\(base)/host")
        try start()
    }

    func start() throws {
        var lines = [
            "ListenAddress \(address)", "Port \(port)", "HostKey \(base)/host", "PidFile none", "AuthorizedKeysFile \(base)/user.pub",
            "StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin yes", "MaxStartups 100", "SetEnv HOME=\(home)",
        ]
        if let force { lines.append("ForceCommand \(force)") }
        try Files.write("\(base)/sshd_config", lines.joined(separator: "\n") + "\n")
        if isRoot { try Files.makeDirectory("/run/sshd") }
        let log = try FileDescriptor.open("\(base)/log", O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
        // sshd must be called by its whole path.
        let sshd = ["/usr/sbin/sshd", "-D", "-e", "-f", "\(base)/sshd_config"]
        let line = (namespace.map { ["/usr/sbin/ip", "netns", "exec", $0.name] } ?? ["/usr/bin/env"]) + sshd
        let inotify = try Inotify()
        _ = try inotify.add("\(base)/log", .modified)
        let environment = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"]
        server = try Child(line[0], Array(line.dropFirst()), environment: environment, output: log.raw, error: log.raw)
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while try !Files.text("\(base)/log").contains("listening on") {
            guard let server, !server.hasEnded, awaitReadable([inotify.descriptor.raw, server.pidfd], until: end) else {
                throw WaitFailed(description: "sshd does not listen: \(try Files.text("\(base)/log"))")
            }
            var events: [InotifyEvent] = []
            _ = try inotify.readEvents(into: &events)
        }
    }

    /// Ends the server and all its connections. What runs on the host goes on.
    func stop() {
        guard let server else { return }
        // So that it accepts no connection between the end of those that there are and its own.
        server.kill(SIGSTOP)
        cutConnections()
        server.kill(SIGKILL)
        _ = server.exitCode()
        self.server = nil
    }

    /// Ends all connections.
    func cutConnections() {
        guard let server else { return }
        for pid in Self.descendants(of: server.pid) {
            let name = (try? Files.text("/proc/\(pid)/comm")) ?? ""  // ended
            if name.hasPrefix("sshd") { kill(pid, SIGKILL) }
        }
    }

    private static func descendants(of pid: pid_t) -> [pid_t] {
        let children = (try? Processes.children(of: pid)) ?? []  // ended
        return children + children.flatMap { descendants(of: $0) }
    }

    // MARK: The caller

    /// The lines of ssh_config(5) for this host.
    var configuration: String {
        """
        Host \(name)
          HostName \(link == nil ? address : "127.0.0.1")
          Port \(link?.port ?? port)
          HostKeyAlias [\(address)]:\(port)
          IdentityFile \(base)/user
          IdentitiesOnly yes
          UserKnownHostsFile \(base)/known
          GlobalKnownHostsFile /dev/null
          StrictHostKeyChecking yes

        """
    }
}

extension FarHost {
    /// A spool with the executor ssh and these hosts, whose daemon has started. `more` is in the executor's table.
    static func spool(_ hosts: [FarHost], _ more: String = "") throws -> SpoolUnderTest {
        let directory = hosts[0].base
        try Files.write("\(directory)/ssh_config", hosts.map(\.configuration).joined())
        let configuration = """
            slots = 2
            [executors.ssh]
            config = "\(directory)/ssh_config"
            hosts = {\(hosts.map { "\($0.name) = 100" }.joined(separator: ", "))}
            poll = "300ms"
            lag = "3s"
            find_grace = "3s"
            \(more)

            """
        let spool = try SpoolUnderTest(configuration: configuration, starting: false)
        try spool.install(executor: "ssh")
        try spool.start()
        return spool
    }
}

/// A link to a host over which every byte takes its time: Tests/ssh/delay.py.
final class SlowLink {
    let port: UInt16
    private let input: FileDescriptor
    private let relay: Child

    static let areHere = Commands.has("python3")
    static let reason: Comment = "needs sshd, ssh, ssh-keygen and python3"

    init(to host: FarHost, milliseconds: Int) throws {
        let toRelay = try Pipe()
        let fromRelay = try Pipe()
        try toRelay.reading.setBlocking()
        relay = try Child(
            "/usr/bin/env", ["python3", "\(Package.root)/Tests/ssh/delay.py", "\(milliseconds)", host.address, "\(host.port)"],
            environment: ["PATH=\(getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin")"], input: toRelay.reading.raw,
            output: fromRelay.writing.raw, error: STDERR_FILENO)
        let (reading, writing) = toRelay.release()
        close(reading)
        input = FileDescriptor(owning: writing)
        let ends = fromRelay.release()
        close(ends.writing)
        let output = FileDescriptor(owning: ends.reading)
        // It is written at once.
        var line = [UInt8](repeating: 0, count: 16)
        guard awaitReadable([output.raw, relay.pidfd], until: MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)),
            case let count = Glibc.read(output.raw, &line, line.count), count > 1,
            let port = UInt16(String(decoding: line[..<(count - 1)], as: UTF8.self))
        else { throw WaitFailed(description: "the relay does not begin") }
        self.port = port
    }

    deinit { relay.kill(SIGKILL) }
}

/// A network of its own, whose only link to this machine can be cut and mended.
final class NetworkNamespace {
    let name: String
    let address: String
    private let link: String

    static let areHere: Bool = {
        guard isRoot, Commands.has("ip"), let namespace = try? NetworkNamespace() else { return false }  // the reason does not matter
        return namespace.isThere
    }()
    static let reason: Comment = "needs root, ip(8), network namespaces and veth"

    private var isThere: Bool { Files.exists("/run/netns/\(name)") }

    init() throws {
        // Numbers of this process, so that test runs side by side do not meet.
        let number = Self.count.next()
        let own = Int(getpid()) % 16_000 * 4 + number % 4
        name = "spoold\(getpid())n\(number)"
        link = "sp\(getpid())n\(number)"
        address = "10.\(213 + own / 65_536).\(own / 256 % 256).\(own % 64 * 4 + 2)"
        let here = "10.\(213 + own / 65_536).\(own / 256 % 256).\(own % 64 * 4 + 1)"
        try Commands.succeed("ip", "netns", "add", name)
        try Commands.succeed("ip", "link", "add", link, "type", "veth", "peer", "name", "far", "netns", name)
        try Commands.succeed("ip", "address", "add", "\(here)/30", "dev", link)
        try Commands.succeed("ip", "link", "set", link, "up")
        try inside("address", "add", "\(address)/30", "dev", "far")
        try inside("link", "set", "far", "up")
        try inside("link", "set", "lo", "up")
    }

    deinit {
        _ = try? Commands.run("ip", "link", "delete", link)  // gone with the namespace otherwise
        _ = try? Commands.run("ip", "netns", "delete", name)  // litter at worst
    }

    private func inside(_ arguments: String...) throws {
        let result = try Commands.run("ip", ["-n", name] + arguments)
        guard result.code == 0 else { throw WaitFailed(description: "ip -n \(name) \(arguments): \(result.error)") }
    }

    /// From now on every packet is lost, without a word to either side.
    func cut() throws { try inside("link", "set", "far", "down") }

    func mend() throws { try inside("link", "set", "far", "up") }

    private static let count = Counter()
    private final class Counter: @unchecked Sendable {
        private var value = 0
        func next() -> Int { Descriptors.alone { value += 1; return value } }
    }
}
