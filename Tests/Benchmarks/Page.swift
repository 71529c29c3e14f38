import CLinux
import Glibc
import Linux

/// Measures the time from the end of a job to the event by which `spoolctl monitor` shows it to a browser that has the page open.
extension Suite {
    private static let pageGuardSeconds = 30.0
    /// The time that a job waits before it ends: the monitor has shown its beginning then, and nothing is due.
    private static let quietMilliseconds = 400
    /// A person takes this for at once.
    private static let pageMilliseconds = 1000.0

    func measurePage(_ name: String, on place: Place) throws {
        let spool = try place.freshSpool()
        guard let control = programs.control else { throw Trouble.unavailable("spoolctl is not built") }
        let rounds = options.isSmoke ? 5 : 200
        var quiet = Samples(), short = Samples()
        try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            let ended = try EndedJobs(self, spool: spool)
            let monitor = try MonitorUnderTest(control, spool: spool, socket: "\(try place.fresh("page"))/s", system, daemon)
            defer { monitor.stop() }
            try monitor.follow("/jobs?state=done", daemon)
            let from = try Directory.open("\(spool)/tmp")
            let to = try Directory.open("\(spool)/new")
            func run(_ round: Int, _ job: String, _ line: String) throws -> Double {
                try from.writeFile("\(job).toml", Array("command = '\(line)exec /bin/date +%s%N'\n".utf8))
                try from.rename("\(job).toml", into: to, as: "\(job).toml")
                let seen = try monitor.awaitEvent(with: "Z-\(job)-", daemon, until: Deadline(seconds: Self.pageGuardSeconds))
                try ended.wait(for: round, from: daemon, until: Deadline(seconds: Self.pageGuardSeconds))
                return Double(seen - (try Stamp.read("\(spool)/done/\(ended.ids[round - 1])/stdout"))) / 1e6
            }
            for number in 0..<rounds {
                let seconds = decimal(Double(Self.quietMilliseconds) / 1000)
                quiet.add(try run(2 * number + 1, "quiet\(number)", "sleep \(seconds); "))
                // The event before must not hold up the next one.
                try system.pause(milliseconds: Self.quietMilliseconds)
                short.add(try run(2 * number + 2, "short\(number)", ""))
                try system.pause(milliseconds: Self.quietMilliseconds)
            }
        }
        for (name, samples) in [(name, quiet), ("  of a job that ends as it begins", short)] {
            report.add(
                Row(
                    measure: name, ours: "median \(decimal(samples.median)), p99 \(decimal(samples.percentile(99))) ms",
                    reference: "\(rounds) ends, max \(decimal(samples.largest)) ms", figure: (samples.median, "ms"),
                    bar: "p99 below 1000 ms", isMet: samples.percentile(99) < Self.pageMilliseconds))
        }
    }
}

/// A `spoolctl monitor` and one client that follows a page.
private final class MonitorUnderTest {
    private let pid: pid_t
    private let client: FileDescriptor
    private var received: [UInt8] = []

    /// Returns when the monitor serves the socket.
    init(_ control: String, spool: String, socket path: String, _ system: System, _ daemon: DaemonUnderTest) throws {
        let output = try SocketPair()
        let input = try FileDescriptor.open("/dev/null", O_RDONLY)
        let words = [control, "monitor", "--spool", spool, "--listen", "unix:\(path)"]
        pid = try Process.spawn(
            control, arguments: words, environment: BareProgram.environment,
            descriptors: [(input.raw, 0), (output.second.raw, 1), (2, 2)])
        // It prints the address when it can be connected to.
        let deadline = Deadline(seconds: 30)
        while !(try daemon.wait(for: output.first.raw, until: deadline, "have a page")) {}
        let raw = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw SystemError(call: "socket", errno: errno) }
        client = FileDescriptor(owning: raw)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { throw Trouble.failed("\(path) is too long") }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let failure = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 ? 0 : errno
            }
        }
        guard failure == 0 else { throw SystemError(call: "connect", path: path, errno: failure) }
    }

    func stop() { _ = try? Process.signal(SIGTERM, to: pid) }  // it has ended

    /// Follows a view, and returns when its first event is here.
    func follow(_ view: String, _ daemon: DaemonUnderTest) throws {
        let address = view.split(separator: "?").joined(separator: "%3F").split(separator: "=").joined(separator: "%3D")
        try client.write(Array("GET /events?view=\(address) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
        _ = try awaitEvent(with: "</main>", daemon, until: Deadline(seconds: 30))
    }

    /// Returns the time at which a text has come, in nanoseconds since 1970.
    func awaitEvent(with text: String, _ daemon: DaemonUnderTest, until deadline: Deadline) throws -> Int64 {
        let wanted = Array(text.utf8)
        received.removeAll(keepingCapacity: true)
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            guard try daemon.wait(for: client.raw, until: deadline, "show \(text)") else { continue }
            let count = try chunk.withUnsafeMutableBytes { try client.read(into: $0) }
            let now = System.wallNanoseconds()
            guard count > 0 else { throw Trouble.failed("the monitor has closed the page") }
            received += chunk[..<count]
            if received.withUnsafeBytes({ linux_memmem($0.baseAddress!, $0.count, wanted, wanted.count) }) != nil { return now }
        }
    }
}
