import CLinux
import Documents
import Executors
import Glibc
import Linux

/// One call of the executor ssh: its settings, its time, its answers, and what it tells people.
final class SSHCall {
    let settings: SSHSettings
    private let environment: [String]
    private let ssh: String
    private let controlDirectory: String?
    let time: CallTime

    init(_ settings: SSHSettings, ssh: String, environment: [String], _ time: CallTime) {
        self.time = time
        self.settings = settings
        self.ssh = ssh
        self.environment = environment
        controlDirectory = settings.reuseSeconds == nil ? nil : Self.makeControlDirectory()
    }

    static func randomName() -> String { String(UInt64.random(in: .min ... .max), radix: 16) }

    /// A directory for the sockets of kept connections that is this user's alone; their paths must be short. Nil when somebody else has
    /// the name: then each call makes its own connection.
    private static func makeControlDirectory() -> String? {
        let path = "/tmp/spoold-ssh-\(geteuid())"
        _ = mkdir(path, 0o700)  // there already, or the next line sees it
        guard let status = try? FileStatus.read(path), status.kind == .directory,  // as above
            status.owner == geteuid(), status.mode & 0o077 == 0
        else { return nil }
        return path
    }

    // MARK: Hosts

    /// A connection to a host. Nil, with a sentence told, when ssh cannot be started.
    func session(to host: HostName) -> FarSession? {
        do throws(SystemError) {
            let arguments = settings.arguments(for: host, controlDirectory: controlDirectory)
            return try FarSession(host: host, ssh: ssh, arguments: arguments, environment: environment)
        } catch {
            Told.person("\(host): \(ssh): \(error)")
            return nil
        }
    }

    /// A run, and what is asked about it.
    typealias Asked = (place: FarPlace, ask: (FarSession) -> Void)

    /// Asks each host about its runs, all hosts side by side, in another order each time: many that are away keep no other from being asked
    /// for ever. `ask` is called for each run of a host that can be asked.
    func each(_ runs: [Asked], afterwards: @escaping (FarSession) -> Void = { _ in }) {
        var byHost: [HostName: [Asked]] = [:]
        for run in runs { byHost[run.place.host, default: []].append(run) }
        var hosts = byHost.keys.shuffled()[...]
        FarSessions.run(until: time.hardEnd) {
            while let host = hosts.popFirst() {
                guard let session = session(to: host) else { continue }
                let own = byHost[host] ?? []
                session.greeted = { hello in
                    var others = 0
                    for run in own {
                        if Self.isSameHome(hello, run.place) { run.ask(session) } else { others += 1 }
                    }
                    if others > 0 {
                        Told.person("\(host): the home there is not the one in which \(others) of its jobs began; is it mounted?")
                    }
                    afterwards(session)
                }
                session.ended = { why in if let why { Told.person("\(host) does not answer for \(own.count) jobs: \(why)") } }
                return session
            }
            return nil
        }
    }

    /// A home that is not mounted has no job either, but that says nothing. After a restart of the host no job runs any more.
    static func isSameHome(_ hello: FarAnswers.Hello, _ place: FarPlace) -> Bool {
        if hello.home == place.home { return true }
        guard let then = place.boot, let now = hello.boot else { return false }
        return then != now
    }
}
