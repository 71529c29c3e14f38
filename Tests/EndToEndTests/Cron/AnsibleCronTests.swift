import Glibc
import Linux
import Testing

/// The modules `cron` and `at` of Ansible, which call crontab(1) and at(1) and read their output.
@Suite("Ansible's modules cron and at", .ownThreads)
struct AnsibleCronTests {
    private static let environment = getenv("PYTHONPATH").map { ["PYTHONPATH=\(String(cString: $0))"] } ?? []

    static let isHere = canImport("ansible.modules.cron")
    static let isAtHere = Commands.has("at") && canImport("ansible.modules.cron, ansible_posix_at")

    private static func canImport(_ modules: String) -> Bool {
        guard CronMachine.isHere, Commands.has("python3") else { return false }
        return (try? Commands.run("python3", ["-c", "import \(modules)"], environment: environment))?.code == 0
    }

    @Test(
        "C2: Ansible's module cron adds, changes and removes lines and variables of crontabs, and changes nothing the second time",
        .enabled(if: isHere, "needs root, Debian's cron and the Python package ansible-core"))
    func module() throws {
        let machine = try CronMachine()
        func call(_ arguments: String) throws -> Bool {
            let result = try machine.run(
                "python3 -m ansible.modules.cron", as: nil,
                input: "{\"ANSIBLE_MODULE_ARGS\": {\"_ansible_remote_tmp\": \"\(machine.base)/home\", \(arguments)}}",
                environment: Self.environment)
            #expect(result.code == 0, "\(result.output)\(result.error)")
            // The module waits when its log is full.
            _ = machine.logged()
            return result.output.contains("\"changed\": true")
        }
        for user in ["root", "games"] {
            let other = "\"user\": \"\(user)\""
            #expect(try machine.run("crontab -u \(user) -", as: nil, input: "# mine\n0 0 * * * mine\n").code == 0)
            let add = "\"name\": \"backup\", \"minute\": \"5\", \"hour\": \"2\", \"job\": \"/bin/backup --all > /dev/null\", \(other)"
            #expect(try call(add) && !call(add))
            #expect(try call("\"name\": \"start\", \"special_time\": \"reboot\", \"job\": \"start\", \(other)"))
            #expect(try call("\"name\": \"PATH\", \"env\": true, \"job\": \"/opt/bin:/bin\", \(other)"))
            #expect(
                try machine.run("crontab -u \(user) -l", as: nil).output == """
                    PATH="/opt/bin:/bin"
                    # mine
                    0 0 * * * mine
                    #Ansible: backup
                    5 2 * * * /bin/backup --all > /dev/null
                    #Ansible: start
                    @reboot start

                    """)
            let gone = "\"name\": \"backup\", \"state\": \"absent\", \(other)"
            #expect(try call(gone) && !call(gone))
            #expect(try !machine.run("crontab -u \(user) -l", as: nil).output.contains("backup"))
        }
        #expect(try machine.names() == ["games", "root"])
    }

    @Test(
        "C6: Ansible's module at, called by root, reads the jobs of all users, also where two have the same number",
        .enabled(if: isAtHere, "needs root, Debian's cron and at, and at.py of the Python package ansible as ansible_posix_at"))
    func others() throws {
        let spool = try SpoolUnderTest.ofEverybody()
        let machine = try CronMachine(names: ["at"])
        let environment = ["SPOOL_DIR=\(spool.path)"]
        func call(_ arguments: String) throws -> Bool {
            let result = try machine.run(
                "python3 -m ansible_posix_at", as: nil,
                input: "{\"ANSIBLE_MODULE_ARGS\": {\"_ansible_remote_tmp\": \"\(machine.base)/home\", \(arguments)}}",
                environment: Self.environment + environment)
            #expect(result.code == 0, "\(result.output)\(result.error)")
            return result.output.contains("\"changed\": true")
        }
        func queue() throws -> [Substring] {
            try machine.run("atq", as: nil, environment: environment).output.split(separator: "\n").map { $0.prefix { $0 != "\t" } }
        }
        let add = "\"command\": \"uptime\", \"count\": 3, \"units\": \"weeks\", \"unique\": true"
        #expect(try call(add))
        for user in [TestUser.games, .daemon] {
            #expect(try machine.run("at noon + 5 days", as: user, input: "ls -d /\n", environment: environment).code == 0)
        }
        #expect(try queue() == ["daemon/1", "games/1", "1"])
        #expect(try !call(add) && queue().count == 3)
        #expect(try call("\"command\": \"uptime\", \"state\": \"absent\"") && queue() == ["daemon/1", "games/1"])
        #expect(try call("\"command\": \"ls -d /\", \"state\": \"absent\"") && queue().isEmpty)
    }

    @Test(
        "C6: Ansible's module at adds a job, adds none that is there when it is to be unique, and removes it",
        .enabled(if: isAtHere, "needs root, Debian's cron and at, and at.py of the Python package ansible as ansible_posix_at"))
    func at() throws {
        let machine = try CronMachine(names: ["at"])
        let spool = "SPOOL_DIR=\(machine.base)/home/spool"
        func call(_ arguments: String) throws -> Bool {
            let result = try machine.run(
                "python3 -m ansible_posix_at", as: nil,
                input: "{\"ANSIBLE_MODULE_ARGS\": {\"_ansible_remote_tmp\": \"\(machine.base)/home\", \(arguments)}}",
                environment: Self.environment + [spool])
            #expect(result.code == 0, "\(result.output)\(result.error)")
            return result.output.contains("\"changed\": true")
        }
        func queue() throws -> [Substring] {
            try machine.run("atq", as: nil, environment: [spool]).output.split(separator: "\n").map { $0.prefix { $0 != "\t" } }
        }
        let add = "\"command\": \"ls -d / > /dev/null\", \"count\": 20, \"units\": \"minutes\""
        #expect(try call(add) && queue() == ["1"])
        #expect(try !call("\(add), \"unique\": true") && queue() == ["1"])
        #expect(try call("\"command\": \"uptime\", \"count\": 3, \"units\": \"weeks\", \"unique\": true") && queue() == ["1", "2"])
        #expect(try call("\"command\": \"ls -d / > /dev/null\", \"state\": \"absent\"") && queue() == ["2"])
    }
}
