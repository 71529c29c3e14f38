// Links to files of others and renamed files of others, with the kernel's protection of links and without it.

import Glibc
import Linux
import Testing

@Suite(
    "Links", .serialized, .ownThreads, .enabled(if: TestUser.areHere, TestUser.reason),
    .enabled(if: KernelSettings.canChange, KernelSettings.reason))
struct LinkProtectionTests {
    /// The text of files that must not run. Their command would create the file `bad`.
    private func bad(_ spool: SpoolUnderTest) -> String { "command = \"touch \(spool.out)/bad\" # hush" }

    private func expectNothingBad(_ spool: SpoolUnderTest) throws {
        #expect(!Files.exists("\(spool.out)/bad"))
        #expect(!spool.log.contains("hush"), "what is not hers is never shown")
        for user in [TestUser.games, .daemon] {
            #expect(try spool.ctl(as: user, "submit", "--wait", "--", "true").code == 0)
            #expect(try !spool.ctl(as: user, "jobs", "--json").output.contains("hush"))
        }
    }

    @Test("Attacks 1, 2, 3: files that users link to from their own directories are not read, whoever owns them", arguments: [true, false])
    func ownDirectory(isProtected: Bool) throws {
        let settings = try KernelSettings(protecting: isProtected)
        let spool = try SpoolUnderTest.ofEverybody()
        for user in [TestUser.games, .daemon] { #expect(try spool.ctl(as: user, "submit", "--wait", "--", "true").code == 0) }
        try Files.write("\(spool.out)/secret.toml", bad(spool), mode: 0o600)
        try Files.write("\(spool.out)/open.toml", bad(spool))
        try TestUser.daemon.shell("umask 077; echo 'command = \"touch \(spool.out)/bad\" # hush' > \(spool.out)/other.toml")
        try Files.makeDirectory("\(spool.out)/directory")
        try Files.write("\(spool.out)/directory/job.toml", bad(spool))
        chmod("\(spool.out)/directory", 0o755)
        let new = "\(spool.path)/new/games"
        for name in ["secret", "open", "other"] {
            try TestUser.games.shell("ln -s \(spool.out)/\(name).toml \(new)/s-\(name).toml")
            // A user can make a hard link to a file without write permission only where the kernel does not protect links.
            let link = try TestUser.games.run("ln", "\(spool.out)/\(name).toml", "\(new)/h-\(name).toml")
            #expect(link.code == (isProtected ? 1 : 0), "\(link)")
        }
        try TestUser.games.shell(
            "ln -s \(spool.out)/directory \(new)/20260101T000000.000Z-x-abcd; ln -s \(spool.out)/directory \(new)/d.toml")
        for name in ["s-secret", "s-open", "s-other"] { try spool.logLine("user=games", "event=rejected", name) }
        try expectNothingBad(spool)
        if !isProtected {
            try spool.logLine("user=games", "event=ignored", "belongs to user 0")
            for name in ["secret", "open", "other"] { #expect(try Files.status("\(new)/h-\(name).toml").links == 2, "left alone") }
        }
        withExtendedLifetime(settings) {}
    }

    @Test(
        "Attacks 3, 4: a user's link in new/ to a file of root does not become a job of root; with allow it cannot be made",
        arguments: [true, false]
    )
    func sharedDirectory(isProtected: Bool) throws {
        let settings = try KernelSettings(protecting: isProtected)
        let spool = try SpoolUnderTest.ofEverybody()
        try Files.write("\(spool.out)/roots.toml", bad(spool))
        let link = try TestUser.games.run("ln", "\(spool.out)/roots.toml", "\(spool.path)/new/evil.toml")
        #expect(link.code == (isProtected ? 1 : 0), "\(link)")
        if !isProtected {
            let job = try spool.end(of: "evil")
            #expect(job.outcome == "failed rejected" && job.error.contains("has 2 names"), "\(job.error)")
        }
        // With only one name left, root's file would look like a normal file of root.
        try Files.write(spool.configuration, "allow = [\"games\"]\n")
        try spool.logLine("event=configured")
        try Files.write("\(spool.out)/again.toml", bad(spool))
        #expect(try TestUser.games.run("ln", "\(spool.out)/again.toml", "\(spool.path)/new/again.toml").code == 1)
        #expect(try TestUser.games.run("mv", "\(spool.out)/again.toml", "\(spool.path)/new/again.toml").code == 1)
        #expect(try spool.runsOn())
        #expect(!Files.exists("\(spool.out)/bad"))
        withExtendedLifetime(settings) {}
    }

    @Test("Attacks 4, 5: nobody can put a victim's file where it would be the victim's job", arguments: [true, false])
    func victims(isProtected: Bool) throws {
        let settings = try KernelSettings(protecting: isProtected)
        let spool = try SpoolUnderTest.ofEverybody()
        for user in [TestUser.games, .daemon] { #expect(try spool.ctl(as: user, "submit", "--wait", "--", "true").code == 0) }
        // Both users may write into this directory, which has no sticky bit.
        try Files.makeDirectory("\(spool.out)/common")
        chmod("\(spool.out)/common", 0o777)
        try TestUser.daemon.shell(
            "umask 077; for i in 1 2 3 4; do echo 'command = \"touch \(spool.out)/bad\" # hush' > \(spool.out)/common/$i.toml; done")
        for place in ["new/daemon", "new/daemon/", "tasks/daemon", "running/daemon", "users/daemon/new", "users/daemon/state"] {
            for way in ["mv", "ln"] {
                #expect(
                    try TestUser.games.run(way, "\(spool.out)/common/1.toml", "\(spool.path)/\(place)/1.toml").code != 0, "\(way) \(place)")
            }
        }
        // The user can move the file into their own directory under a good name, but does not own the file.
        try TestUser.games.shell("mv \(spool.out)/common/2.toml \(spool.path)/new/games/2.toml")
        try TestUser.games.shell("mv \(spool.out)/common/3.toml \(spool.path)/new/3.toml")
        try spool.logLine("user=games", "event=ignored", "belongs to user 1")
        try expectNothingBad(spool)
        #expect(Files.exists("\(spool.path)/new/games/2.toml") && Files.exists("\(spool.path)/new/3.toml"), "left alone")
        withExtendedLifetime(settings) {}
    }

    @Test(
        "Attack 3: a user's second name for an accepted file takes nothing out of force (CVE-2007-1856)",
        arguments: [true, false]
    )
    func secondName(isProtected: Bool) throws {
        let settings = try KernelSettings(protecting: isProtected)
        let spool = try SpoolUnderTest.ofEverybody()
        try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\nid = \"s\"\nat = \"2090-01-01T00:00:00Z\"")
        try spool.drop("waiting.toml", "command = 'touch \(spool.out)/ran'\nstart = \"2090-01-01T00:00:00Z\"")
        try spool.logLine("event=accepted", "waiting")
        for file in ["tasks/t.toml", "new/waiting.toml"] {
            let link = try TestUser.games.run("ln", "\(spool.path)/\(file)", "\(spool.out)/\(file.split(separator: "/")[1])")
            #expect(link.code == (isProtected ? 1 : 0), "\(link)")
        }
        // The daemon examines each file again when it starts.
        try spool.restart()
        #expect(try spool.runsOn())
        #expect(Files.exists("\(spool.path)/new/waiting.toml"), "it waits as before")
        #expect(try spool.ended("waiting").isEmpty)
        #expect(try spool.ctl("run", "--wait", "t").code == 0)
        try spool.wait(for: "the schedule to be in force") {
            spool.statusText.contains("\"next_due\":\"2090") || spool.statusText.contains("\"next_due\": \"2090")
        }
        withExtendedLifetime(settings) {}
    }

    @Test("Attack 2: a link with a user's name is not served, and a directory in its place is served again", arguments: [true, false])
    func directoryAsLink(isProtected: Bool) throws {
        let settings = try KernelSettings(protecting: isProtected)
        let spool = try SpoolUnderTest.ofEverybody()
        for user in [TestUser.games, .daemon] { #expect(try spool.ctl(as: user, "submit", "--wait", "--", "true").code == 0) }
        try Files.makeDirectory("\(spool.out)/roots")
        try Files.write("\(spool.out)/roots/x.toml", bad(spool))
        chmod("\(spool.out)/roots", 0o755)
        for (number, target) in ["\(spool.out)/roots", "\(spool.path)/new/daemon", "\(spool.path)/new", "/"].enumerated() {
            try TestUser.games.shell(
                "cd \(spool.path)/new; mv games .games.\(number); until ln -sT \(target) games 2> /dev/null; do rmdir games; done")
            try spool.wait(for: "the problem of the link") { spool.statusText.contains("new/games is not a directory") }
            #expect(try spool.ctl(as: .daemon, "submit", "--wait", "--", "true").code == 0)
            try TestUser.games.shell("cd \(spool.path)/new; rm games; mv .games.\(number) games")
            #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
        }
        let kept = try Files.status("\(spool.out)/roots")
        #expect(kept.owner == 0 && kept.mode == 0o755)
        try expectNothingBad(spool)
        withExtendedLifetime(settings) {}
    }

    @Test(
        "Attacks 2, 3: a file that a user puts in the place of a standby's file is not written to, and stops no standby",
        arguments: ["ln -s", "ln", "mkfifo", "touch"]
    )
    func standby(_ way: String) throws {
        let settings = try KernelSettings(protecting: false)
        let spool = try SpoolUnderTest.ofEverybody()
        try Files.write("\(spool.out)/secret", "root's", mode: 0o644)
        let plant = way == "mkfifo" || way == "touch" ? "\(way) $0" : "\(way) \(spool.out)/secret $0"
        let script = """
            setpriv --reuid 5 --regid 60 --clear-groups sh -c '\(plant)' \(spool.path)/tmp/$(uname -n | tr -c 'A-Za-z0-9\\n-' _)-$$.json \
            || exit 9; exec \(SpoolUnderTest.programs)/spoold --standby --spool \(spool.path) --config \(spool.configuration)
            """
        let standby = try Commands.Running("sh", ["-c", script])
        _ = try spool.wait(for: "the standby to be shown") {
            try spool.ctl("status").output.contains("\(standby.child.pid)") ? true : nil
        }
        let file = try #require(try Files.list("\(spool.path)/state/standby").first { $0.hasSuffix("-\(standby.child.pid).json") })
        let status = try Files.status("\(spool.path)/state/standby/\(file)")
        #expect(status.kind == .file && status.owner == 0 && status.links == 1)
        #expect(try Files.text("\(spool.out)/secret") == "root's")
        standby.child.kill(SIGTERM)
        #expect(try standby.end().code == 0)
        withExtendedLifetime(settings) {}
    }

    @Test(
        "Attack 2: users who exchange paths while their directory is made get no other one (CVE-2018-15687, CVE-2023-41914)",
        arguments: [true, false]
    )
    func exchanged(isProtected: Bool) throws {
        let settings = try KernelSettings(protecting: isProtected)
        let spool = try SpoolUnderTest.ofEverybody()
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
        try Files.makeDirectory("\(spool.out)/victim")
        try Files.write("\(spool.out)/victim/file", "root's", mode: 0o600)
        chmod("\(spool.out)/victim", 0o755)
        // Each of these changes is an event. root's daemon answers it by creating the missing directory and giving it to the
        // user.
        try TestUser.games.shell("""
            cd \(spool.path)/tasks; i=0
            while [ $i -lt 200 ]; do
              rmdir games 2>/dev/null; ln -s \(spool.out)/victim games 2>/dev/null; rm -f games 2>/dev/null
              ln -s \(spool.out)/victim .l; mkdir .d 2>/dev/null; mv -T .l games 2>/dev/null || rm -f .l; rm -f games 2>/dev/null; mv -T \
            .d games 2>/dev/null
              i=$((i + 1))
            done
            rm -rf .d .l; [ -d games ] && [ ! -L games ] || { rm -f games 2>/dev/null; umask 077; mkdir games 2>/dev/null || [ -d games ]; }
            """)
        for (path, mode) in [("victim", 0o755), ("victim/file", 0o600)] as [(String, mode_t)] {
            let status = try Files.status("\(spool.out)/\(path)")
            #expect(status.owner == 0 && status.mode == mode, "\(path)")
        }
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
        withExtendedLifetime(settings) {}
    }
}
