import CLinux
import Glibc
import Linux
import Testing

// Two ordinary users that every Debian has, and a user number without a name. Tests change nothing of theirs outside the spool.

struct TestUser: Sendable {
    let name: String
    let id: uid_t

    static let games = TestUser(name: "games", id: 5)
    static let daemon = TestUser(name: "daemon", id: 1)
    static let nameless = TestUser(name: "64101", id: 64101)

    /// True when tests can act as these users and the users can reach the built programs.
    static let areHere: Bool = {
        guard isRoot, Commands.has("setpriv") else { return false }
        return [games, daemon, nameless].allSatisfy { user in
            (try? user.run("test", "-x", "\(SpoolUnderTest.programs)/spool-worker"))?.code == 0
        }
    }()

    static let reason: Comment = "needs root, setpriv, and the programs where the users games and daemon can reach them"

    /// Runs a program as this user.
    func run(_ program: String, _ arguments: String..., environment: [String] = []) throws -> Commands.Result {
        try run(program, arguments, environment: environment)
    }

    func run(_ program: String, _ arguments: [String], environment: [String] = []) throws -> Commands.Result {
        try Commands.run("setpriv", prefix + [program] + arguments, environment: environment)
    }

    func start(_ program: String, _ arguments: [String], environment: [String] = []) throws -> Commands.Running {
        try Commands.Running("setpriv", prefix + [program] + arguments, environment: environment)
    }

    private var prefix: [String] { ["--reuid=\(id)", "--regid=\(id)", name == String(id) ? "--clear-groups" : "--init-groups"] }

    /// Runs a line of the shell as this user, which must succeed.
    @discardableResult
    func shell(_ line: String) throws -> String {
        let result = try run("sh", "-c", line)
        guard result.code == 0 else { throw WaitFailed(description: "\(name): \(line): \(result.code): \(result.error)") }
        return result.output
    }
}

extension SpoolUnderTest {
    /// Lets users reach the spool, which is then for everybody. Their jobs can write into `out`.
    func letUsersIn() throws {
        for (path, mode) in [(base, 0o755), (self.path, 0o755), (out, 0o1777)] as [(String, mode_t)] {
            guard chmod(path, mode) == 0 else { throw SystemError(call: "chmod", path: path, errno: errno) }
        }
    }

    /// A spool for everybody, which is served.
    static func ofEverybody(configuration: String = "") throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(configuration: configuration, starting: false)
        try spool.letUsersIn()
        try spool.start()
        return spool
    }

    /// The daemon's published status. Empty until there is one.
    var statusText: String { (try? Files.text("\(path)/state/status.json")) ?? "" }  // missing until it is published

    /// Calls spoolctl as a user on the shared spool.
    func ctl(as user: TestUser, _ arguments: String...) throws -> Commands.Result {
        try user.run("\(Self.programs)/spoolctl", arguments, environment: ["SPOOL_DIR=\(path)"])
    }

    func startCtl(as user: TestUser, _ arguments: String...) throws -> Commands.Running {
        try user.start("\(Self.programs)/spoolctl", arguments, environment: ["SPOOL_DIR=\(path)"])
    }

    /// Creates a user's own directory in new/ and drops a job into it, from the user's shell.
    func drop(as user: TestUser, _ file: String, _ text: String) throws {
        try user.shell("umask 077; mkdir -p \(path)/new/\(user.name); cat > \(path)/new/\(user.name)/\(file) <<'END'\n\(text)\nEND")
    }
}
