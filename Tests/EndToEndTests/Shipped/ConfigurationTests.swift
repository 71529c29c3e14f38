// All programs use the configuration that the daemon has in force, and the daemon has in force what its file says.

import Documents
import Glibc
import Linux
import Testing

@Suite("Configuration", .ownThreads)
struct ConfigurationTests {
    /// Commands that print a wall time without a zone: 03:00 UTC on the first of January.
    static let commands = [
        ["next", "t"], ["list"], ["show", "t"], ["why", "t"], ["next", "--calendar", "2099-01-01 03:00"],
        ["explain", "2099-01-01 03:00"], ["top"],
    ]

    @Test("defaults.toml beside the configuration counts for keys that the configuration does not set, also when it comes later")
    func defaults() throws {
        let spool = try SpoolUnderTest(configuration: "slots = 3\n")
        let defaults = "\(spool.base)/defaults.toml"
        try Files.write("\(spool.base)/.defaults", "timezone = \"Asia/Tokyo\"\nslots = 5\n")
        try Files.rename("\(spool.base)/.defaults", defaults)
        try inForce(spool, zone: "Asia/Tokyo")
        guard case .table(let configuration)? = try spool.daemonStatus()?["configuration"]?.kind else { throw spool.failure("no object") }
        #expect(configuration.integer("slots") == 3)
        #expect(try spool.ctl("check").code == 0)
        try Files.write(defaults, "timezone = \"Mars/Olympus\"\n")
        try spool.logLine("event=refused", "\(defaults):1:12: ")
        #expect(try spool.ctl("check").output.contains("\(defaults):1:12: "))
        try spool.stop()
        #expect(try spool.ctl("next", "--calendar", "03:00").errors.contains("\(defaults):1:12: "))
        try Files.write(defaults, "timezone = \"America/New_York\"\n")
        #expect(try spool.ctl("next", "--calendar", "2099-01-01 03:00").output.contains("2099-01-01T08:00"))
        try spool.start()
        try inForce(spool, zone: "America/New_York")
        try Files.remove(defaults)
        try inForce(spool, zone: "UTC")
    }

    private func expect(_ spool: SpoolUnderTest, _ time: String, _ when: String) throws {
        for words in Self.commands {
            let result = try spool.ctl(list: words)
            #expect(result.code == 0 && result.output.contains("2099-01-01T\(time)"), "\(when): \(words) \(result)")
        }
    }

    private func inForce(_ spool: SpoolUnderTest, zone: String) throws {
        try spool.wait(for: "\(zone) to be published") {
            guard case .table(let configuration)? = try spool.daemonStatus()?["configuration"]?.kind else { return false }
            return configuration.text("timezone") == zone
        }
    }

    @Test("Every command computes due times with the configuration that the daemon has in force, not its own")
    func published() throws {
        let spool = try SpoolUnderTest(configuration: "timezone = \"Europe/Berlin\"\nslots = 3\n[queues.q]\nslots = 1\n")
        spool.namesConfiguration = false
        // spoolctl would find this file by itself, but must not use it.
        try Commands.succeed("mkdir", "-p", "\(spool.base)/.config/spoold")
        try Files.write("\(spool.base)/.config/spoold/spoold.toml", "timezone = \"Asia/Tokyo\"")
        try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\ncalendar = \"2099-01-01 03:00\"\n")
        try expect(spool, "02:00", "as started")
        guard case .table(let simulated) = try spool.ctl("simulate", "--json").json.kind else { throw spool.failure("no object") }
        #expect(simulated.integer("slots") == 3)
        #expect(try spool.ctl("submit", "--in", "1h", "true").code == 0)
        #expect(try spool.ctl("status").output.contains("timezone\tEurope/Berlin"))
        // When the daemon's file becomes invalid, commands use the configuration that is still in force.
        try Files.write(spool.configuration, "timezone = \"Mars/Olympus\"")
        try spool.wait(for: "the refusal to be published") {
            guard case .table(let configuration)? = try spool.daemonStatus()?["configuration"]?.kind else { return false }
            return configuration.text("timezone") == "Europe/Berlin"
                && JSON.write(configuration["problems"] ?? Value(.null)).contains("spoold.toml:1:12: ")
        }
        try expect(spool, "02:00", "after a bad edit")
        #expect(try spool.ctl("check").output.contains("\(spool.configuration):1:12: "))
        try Files.write(spool.configuration, "timezone = \"America/New_York\"")
        try inForce(spool, zone: "America/New_York")
        try expect(spool, "08:00", "after a good edit")
        // With the daemon down, commands read the daemon's file as it is now.
        try spool.stop()
        try expect(spool, "08:00", "down")
        try Files.write(spool.configuration, "timezone = \"Europe/Berlin\"")
        try expect(spool, "02:00", "down, edited")
        // A configuration that the command line names is used, and the difference is reported.
        try spool.start()
        let other = "\(spool.base)/other.toml"
        try Files.write(other, "timezone = \"Asia/Tokyo\"")
        let result = try spool.ctl("next", "--config", other)
        #expect(result.output.contains("2098-12-31T18:00"), "\(result)")
        #expect(result.errors == "spoolctl: the daemon uses timezone Europe/Berlin, but \(other) says Asia/Tokyo\n")
    }

    // MARK: Files that appear after the start

    /// Ways in which a configuration file appears, in a directory of its own: the commands before the daemon's start, and those
    /// after it.
    static let ways: [(what: String, before: String, change: String)] = [
        ("the file is made in a directory that is there", "mkdir conf", "echo 'slots = 3' > conf/spoold.toml"),
        ("the file is moved into a directory that is there", "mkdir conf", "echo 'slots = 3' > x; mv x conf/spoold.toml"),
        ("the file is linked in", "mkdir conf", "echo 'slots = 3' > x; ln x conf/spoold.toml"),
        ("its directory comes", ":", "mkdir conf; echo 'slots = 3' > conf/spoold.toml"),
        ("its directory comes with it", ":", "mkdir x; echo 'slots = 3' > x/spoold.toml; mv x conf"),
        ("a link to its directory comes", ":", "mkdir x; echo 'slots = 3' > x/spoold.toml; ln -s x conf"),
        (
            "its directory is replaced", "mkdir conf; echo 'slots = 2' > conf/spoold.toml",
            "mkdir x; echo 'slots = 3' > x/spoold.toml; mv conf y; mv x conf"),
        (
            "the link to its directory is swapped",
            "mkdir a b; echo 'slots = 2' > a/spoold.toml; echo 'slots = 3' > b/spoold.toml; ln -s a conf", "ln -s b x; mv -T x conf"),
        (
            "the file is a link that is swapped", "mkdir conf; echo 'slots = 2' > a; echo 'slots = 3' > b; ln -s ../a conf/spoold.toml",
            "ln -s ../b x; mv -T x conf/spoold.toml"),
        (
            "a link behind the link is swapped",
            "mkdir -p conf a b; echo 'slots = 2' > a/f; echo 'slots = 3' > b/f; ln -s a data; ln -s ../data/f conf/spoold.toml",
            "ln -s b x; mv -T x data"),
        ("the file behind the link is written", "mkdir conf; echo 'slots = 2' > a; ln -s ../a conf/spoold.toml", "echo 'slots = 3' > a"),
        ("what the link points to comes", "mkdir conf; ln -s ../a/f conf/spoold.toml", "mkdir a; echo 'slots = 3' > a/f"),
        (
            "the file is allowed to be read by chmod", "mkdir conf; echo 'slots = 3' > conf/x; ln -s x conf/spoold.toml; mv conf/x conf/y",
            "mv conf/y conf/x; chmod 644 conf/x"),
    ]

    @Test("A configuration file that is created, moved in or linked after the start is read, and so is its next change", arguments: ways)
    func comesLater(_ way: (what: String, before: String, change: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        let base = "\(spool.base)/etc"
        try Files.makeDirectory(base)
        func sh(_ line: String) throws { try Commands.succeed("/bin/sh", "-c", "cd \(base); \(line)") }
        func slots(_ count: Int64) throws { try spool.wait(for: "\(count) slots") { try spool.daemonStatus()?.integer("slots") == count } }
        try sh(way.before)
        // Only an ordinary user's configuration is at a path from the environment, so root runs the daemon as nobody.
        var become: [String] = []
        if geteuid() == 0 {
            try Commands.succeed("chown", "-R", "nobody", spool.base)
            become = ["/usr/bin/setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
        }
        try Files.symlink("etc/conf", "\(spool.base)/spoold")
        try spool.launch(environment: ["XDG_CONFIG_HOME=\(spool.base)"], tracer: become, withConfiguration: false)
        try spool.notification("READY=1")
        try slots(way.before.contains("slots = 2") ? 2 : 8)
        try sh(way.change)
        try slots(3)
        try sh("echo 'slots = 4' > conf/spoold.toml")
        try slots(4)
        try sh("rm conf/spoold.toml")
        try slots(8)
    }
}

extension Table {
    fileprivate func integer(_ key: String) -> Int64? {
        if case .integer(let number)? = self[key]?.kind { number } else { nil }
    }
}
