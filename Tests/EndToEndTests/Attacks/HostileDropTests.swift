// Files that users drop into their own directory of root's spool to hang, crash or deceive a daemon: their own or root's.

import CLinux
import Glibc
import Linux
import Testing

@Suite("Hostile drops", .ownThreads, .enabled(if: TestUser.areHere, TestUser.reason))
struct HostileDropTests {
    private static let user = TestUser.games

    /// A spool that already serves the user.
    private func served(configuration: String = "") throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest.ofEverybody(configuration: configuration)
        try runsOn(spool)
        return spool
    }

    private func new(_ spool: SpoolUnderTest) -> String { "\(spool.path)/new/\(Self.user.name)" }

    /// Checks that the attacking user and another user are still served.
    private func runsOn(_ spool: SpoolUnderTest) throws {
        for user in [Self.user, TestUser.daemon] { #expect(try spool.ctl(as: user, "submit", "--wait", "--", "true").code == 0) }
    }

    /// The directories of the user's ended jobs with this name.
    private func ended(_ name: String, in place: String, _ spool: SpoolUnderTest) throws -> [String] {
        try Files.list("\(spool.path)/\(place)/\(Self.user.name)").filter { SpoolUnderTest.name(inID: $0) == name }
            .map { "\(spool.path)/\(place)/\(Self.user.name)/\($0)" }
    }

    private func end(of name: String, in place: String, _ spool: SpoolUnderTest) throws -> String {
        let state = place == "done" ? "state=done" : "state=failed"
        _ = try spool.wait(for: "\(name) to be \(state)") { try !ended(name, in: place, spool).isEmpty }
        return try #require(try ended(name, in: place, spool).first)
    }

    // MARK: Things that are not regular files

    @Test("Attacks 1, 8, 9, 10: a dropped thing of a user that is not a regular file is set aside or left, without waiting for it")
    func things() throws {
        let spool = try served()
        try Files.write("\(spool.base)/secret", "command = [\"true\"] # hush", mode: 0o600)
        let new = new(spool)
        try Self.user.shell("""
            cd \(new); ln -s \(spool.base)/secret link.toml; ln -s link.toml chain.toml; ln -s circle.toml circle.toml
            mkfifo fifo.toml; mkdir directory.toml; mkfifo 20260101T000000.000Z-id-abcd.json
            """)
        let raw = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(raw) }
        try bindSocket(raw, "\(spool.out)/socket.toml")
        #expect(lchown("\(spool.out)/socket.toml", Self.user.id, 60) == 0)
        try Files.rename("\(spool.out)/socket.toml", "\(new)/socket.toml")
        // Only root can make a device. Root then gives the device to the user.
        let canMakeDevices = try Commands.run("mknod", "\(spool.path)/tmp/device", "c", "1", "3").code == 0
        if canMakeDevices {
            #expect(chown("\(spool.path)/tmp/device", Self.user.id, 60) == 0)
            try Files.rename("\(spool.path)/tmp/device", "\(new)/device.toml")
        }
        let words = [
            "link": "symbolic link", "chain": "symbolic link", "circle": "symbolic link", "fifo": "FIFO", "socket": "socket",
            "device": "device", "id": "FIFO", "directory.toml": "directory without a job's file",
        ]
        for (name, word) in words where name != "device" || canMakeDevices {
            let directory = try end(of: name, in: "failed", spool)
            try spool.wait(for: "the status of \(name)") { Files.exists("\(directory)/status.json") }
            #expect(try Files.text("\(directory)/status.json").contains(word), "\(name)")
        }
        try runsOn(spool)
        #expect(!spool.log.contains("hush"))
        #expect(try Files.list(new) == [])
    }

    @Test(
        "Attack 6: a file that another user may write by an access control list is refused",
        .enabled(if: Commands.has("perl"), "perl is not installed")
    )
    func accessControlList() throws {
        let spool = try served()
        try Self.user.shell("umask 077; echo 'command = \"touch \(spool.out)/ran\"' > \(spool.out)/loose.toml")
        // An acl(5) in the form that setxattr(2) takes, version 2: owner rw, daemon rw, group r, mask rw, others nothing.
        let entries: [(tag: UInt8, permission: UInt8, id: UInt32)] = [
            (1, 6, .max), (2, 6, TestUser.daemon.id), (4, 4, .max), (0x10, 6, .max), (0x20, 0, .max),
        ]
        var list: [UInt8] = [2, 0, 0, 0]
        for entry in entries {
            list += [entry.tag, 0, entry.permission, 0] + (0..<4).map { UInt8(truncatingIfNeeded: entry.id >> (8 * UInt32($0))) }
        }
        let hex = list.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        let perl = """
            my ($path, $name, $list) = ($ARGV[0], 'system.posix_acl_access', pack('H*', $ARGV[1])); exit(syscall(\(SYS_setxattr), $path, \
            $name, $list, length $list, 0) == 0 ? 0 : 1)
            """
        guard try Commands.run("perl", "-e", perl, "\(spool.out)/loose.toml", hex).code == 0 else {
            print("skipped: this file system has no access control lists")
            return
        }
        try Self.user.shell("mv \(spool.out)/loose.toml \(new(spool))/loose.toml")
        let directory = try end(of: "loose", in: "failed", spool)
        try spool.wait(for: "its status") { Files.exists("\(directory)/status.json") }
        #expect(try Files.text("\(directory)/status.json").contains("can be written by others"))
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    @Test("Attack 7: a user's file with the setuid, setgid or sticky bit is refused", arguments: ["4700", "2700", "1700"])
    func bits(_ mode: String) throws {
        let spool = try served()
        try Self.user.shell(
            """
            umask 077; printf '#!/bin/sh\\ntouch \(spool.out)/ran\\n' > \(spool.out)/bits; chmod \(mode) \(spool.out)/bits; mv \
            \(spool.out)/bits \(new(spool))/bits
            """)
        let directory = try end(of: "bits", in: "failed", spool)
        try spool.wait(for: "its status") { Files.exists("\(directory)/status.json") }
        #expect(try Files.text("\(directory)/status.json").contains("chmod 0700 it"))
        try runsOn(spool)
        #expect(!Files.exists("\(spool.out)/ran"))
    }

    @Test("Attack 11: a file on which somebody holds a lease is left until that is over; nobody waits in open(2)", arguments: [true, false])
    func lease(isUsers: Bool) throws {
        let spool = try served()
        // The kernel sends SIGIO to the holder of a lease when another process wants to open the file.
        _ = signal(SIGIO, SIG_IGN)
        let file = isUsers ? "\(spool.path)/tmp/games/leased.toml" : "\(spool.path)/tmp/leased.toml"
        let seconds = try #require(Int64(try Files.text("/proc/sys/fs/lease-break-time").split(separator: "\n")[0]))
        var round = 0
        var isEndedByKernel = true
        // The kernel itself ends a lease some time after somebody wanted to open the file. On a busy machine that may be too soon.
        while isEndedByKernel {
            round += 1
            try Files.write(file, "command = \"echo once >> \(spool.out)/ran\"\ndirectory = \"/\"")
            if isUsers { #expect(chown(file, Self.user.id, 60) == 0) }
            // The holder opens the file only for reading, so closing it causes no event for the daemon.
            let holder = try FileDescriptor.open(file, O_RDONLY)
            guard linux_set_lease(holder.raw, Int32(F_WRLCK)) == 0 else {
                print("skipped: this file system has no leases")
                return
            }
            let end = MonotonicInstant.now().advanced(byMilliseconds: seconds * 1000)
            try Files.rename(file, isUsers ? "\(new(spool))/leased.toml" : "\(spool.path)/new/leased.toml")
            // Files that were dropped after the leased file have been taken up.
            try runsOn(spool)
            #expect(try spool.runsOn("good-\(round)"))
            let runs = try spool.linesNow("ran").count
            isEndedByKernel = .now() >= end
            #expect(runs == round - 1 || isEndedByKernel)
            _ = linux_set_lease(holder.raw, Int32(F_UNLCK))
            try spool.lines("ran", count: round)
            try runsOn(spool)
            #expect(try spool.linesNow("ran").count == round)
        }
    }

    // MARK: Files that change while the daemon reads them

    @Test("Attack 14: a file that grows without end is not taken while it grows, and then refused for its size")
    func growing() throws {
        let spool = try served()
        // It opens the file once and grows it slowly, however long the test takes.
        let writer = try Self.user.start("sh", ["-c", """
            umask 077; exec > \(new(spool))/grow.toml; echo 'command = ["true"]'; yes '# more' | head -c 1100000
            while :; do echo '# more'; sleep 0.1; done
            """])
        let path = "\(new(spool))/grow.toml"
        try spool.wait(for: "the file to be too large") { try Files.exists(path) && Files.status(path).size > 1 << 20 }
        try runsOn(spool)
        #expect(Files.exists(path), "it is left alone")
        writer.child.kill(SIGKILL)
        _ = try writer.end()
        let directory = try end(of: "grow", in: "failed", spool)
        try spool.wait(for: "its status") { Files.exists("\(directory)/status.json") }
        #expect(try Files.text("\(directory)/status.json").contains("a job's file may have 1048576"))
        try runsOn(spool)
    }

    /// Exchanges two files. Returns false when the daemon has taken up one of them.
    private func exchange(_ first: String, _ second: String) throws -> Bool {
        do throws(SystemError) {
            try Directory.open("/").exchange(first, second)
            return true
        } catch {
            if error.errno == ENOENT { return false }
            throw error
        }
    }

    /// Writes a job file of this owner to a path.
    private func put(_ what: String, _ owner: uid_t, at path: String, _ spool: SpoolUnderTest) throws {
        let made = "\(spool.out)/\(what).toml"
        try Files.write(made, "command = \"echo \(what) >> \(spool.out)/ran\"\ndirectory = \"/\"")
        #expect(chown(made, owner, 60) == 0)
        try Files.rename(made, path)
    }

    /// One name holds by turns a file of the rightful owner, which runs, and a file of another owner, which never does.
    @Test(
        "Attacks 17, 19: of two files that are exchanged all the time, only that of the rightful owner runs",
        arguments: [true, false]
    )
    func exchanged(isUsers: Bool) throws {
        let spool = try served()
        let (good, bad) = isUsers ? (Self.user.id, uid_t(0)) : (uid_t(0), Self.user.id)
        let directory = isUsers ? new(spool) : "\(spool.path)/new"
        for round in 0..<60 {
            try put("good", good, at: "\(directory)/.good", spool)
            try put("bad", bad, at: "\(directory)/x.toml", spool)
            // Each round makes one more exchange, so that sometimes the good file and sometimes the bad file remains.
            var count = 0
            while count <= round, try exchange("\(directory)/.good", "\(directory)/x.toml") { count += 1 }
        }
        try spool.wait(for: "the good one to have run") { try spool.linesNow("ran").contains("good") }
        try runsOn(spool)
        #expect(try spool.runsOn())
        #expect(try Set(spool.linesNow("ran")) == ["good"])
    }

    @Test("Attack 18: later writes to an accepted file change neither the run nor its next try")
    func writerStays() throws {
        let spool = try served(configuration: "slots = 1\n")
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        let path = "\(new(spool))/job.toml"
        try spool.drop(
            as: Self.user, "job.toml",
            """
            command = 'echo first $SPOOL_TRY >> \(spool.out)/ran; read x < \(gate.path); exit 1'\ndirectory = \"/\"\ntries = 2\nbackoff = 0
            """)
        try spool.lines("ran", count: 1)
        #expect(!Files.exists(path))
        let running = try #require(try Files.list("\(spool.path)/running/games").first)
        let file = try FileDescriptor.open("\(spool.path)/running/games/\(running)/job.toml", O_WRONLY | O_TRUNC)
        try file.write(Array("command = 'echo second >> \(spool.out)/ran'\nuser = \"root\"\n".utf8))
        try gate.release()
        try spool.lines("ran", count: 2)
        // The writer keeps the file open during the second try too, and during a restart.
        try spool.restart()
        try gate.release()
        try spool.logLine("user=games", "event=ended", "job", "state=failed")
        #expect(try spool.linesNow("ran") == ["first 1", "first 2"])
        withExtendedLifetime(file.raw) {}
    }

    @Test("Attack 25: files that are deleted as soon as they are dropped leave nothing but the jobs that ran")
    func deleted() throws {
        let spool = try served()
        try Self.user.shell("""
            umask 077; cd \(new(spool)); i=0
            while [ $i -lt 300 ]; do echo "command = 'echo $i >> \(spool.out)/ran'\ndirectory = '/'" > ../../tmp/games/x; mv \
            ../../tmp/games/x $i.toml; rm -f $i.toml; i=$((i + 1)); done
            """)
        try runsOn(spool)
        try spool.wait(for: "all to have ended") {
            try Files.list(new(spool)).isEmpty && Files.list("\(spool.path)/running/games").isEmpty
        }
        #expect(try spool.ctl(as: Self.user, "jobs", "--state", "new", "-q").output == "")
        let ran = try spool.linesNow("ran")
        #expect(Set(ran).count == ran.count, "none ran twice")
        // There are as many records as runs, also after a restart.
        try spool.restart()
        try runsOn(spool)
        let done = try Files.list("\(spool.path)/done/games").filter { Int(SpoolUnderTest.name(inID: $0) ?? "") != nil }
        let failed = try Files.list("\(spool.path)/failed/games").filter { Int(SpoolUnderTest.name(inID: $0) ?? "") != nil }
        #expect(done.count == ran.count && failed.isEmpty, "\(failed)")
    }

    // MARK: Contents of dropped files

    static let texts: [(what: String, file: String, bytes: [UInt8], says: String)] = [
        ("root", "x.toml", Array("command = \"id > OUT/bad\"\nuser = \"root\"".utf8), "x.toml:2:8: user: only root's own jobs"),
        ("root by number", "x.json", Array("{\"command\": \"id > OUT/bad\",\n\"user\": 0}".utf8), "x.json:2:9: user: only root's own jobs"),
        ("another user", "x", Array("#!/bin/sh\n#SPOOL user = \"daemon\"\nid > OUT/bad\n".utf8), "x:2:15: user: only root's own jobs"),
        ("root's group", "x.toml", Array("command = \"id > OUT/bad\"\ngroup = \"root\"".utf8), "x.toml:2:9: group: only root's own jobs"),
    ]

    @Test("Attack 26: a user's file that names a user or group to run as is refused, with the position", arguments: texts)
    func namesUser(_ row: (what: String, file: String, bytes: [UInt8], says: String)) throws {
        let spool = try served()
        let text = String(decoding: row.bytes, as: UTF8.self).replacing("OUT", with: spool.out)
        let own = "\(spool.out)/\(row.file)"
        try Files.write(own, text, mode: row.file == "x" ? 0o755 : 0o644)
        #expect(chown(own, Self.user.id, 60) == 0)
        try Self.user.shell("mv \(own) \(new(spool))/\(row.file)")
        let directory = try end(of: "x", in: "failed", spool)
        try spool.wait(for: "its status") { Files.exists("\(directory)/status.json") }
        let status = try Files.text("\(directory)/status.json")
        #expect(status.contains(row.says), "\(status)")
        try runsOn(spool)
        #expect(!Files.exists("\(spool.out)/bad"))
        // A task with this key is refused, too.
        #expect(try spool.ctl(as: Self.user, "create", "t", "--user", "root", "--", "true").code != 0)
    }
}
