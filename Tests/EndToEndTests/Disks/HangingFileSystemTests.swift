// A FUSE file system that never answers, mounted in new/. Every process that accesses it hangs.

import Glibc
import Linux
import Testing

@Suite("A file system that hangs", .ownThreads)
struct HangingFileSystemTests {
    @Test(
        "Attack 12: a hanging file system that is mounted on a name in new/ is ignored, and all else works",
        .enabled(if: HangingMount.canMount, "needs root and /dev/fuse"), arguments: [true, false])
    func hangs(isDirectory: Bool) throws {
        let spool = try SpoolUnderTest()
        let path = "\(spool.path)/new/hang.toml"
        if !isDirectory {
            try Files.write("\(spool.path)/tmp/hang.toml", "command = ['true']\nstart = '2090-01-01T00:00:00Z'")
            try Files.rename("\(spool.path)/tmp/hang.toml", path)
            try spool.logLine("event=accepted", "hang")
        }
        try spool.crash()
        // The daemon would reject an empty directory.
        if isDirectory { try Files.makeDirectory(path) }
        let mount = try HangingMount(at: path, isDirectory: isDirectory)
        try spool.start()
        try spool.logLine("event=ignored", "hang.toml", "another file system is mounted")
        #expect(try spool.runsOn())
        #expect(try spool.ctl("jobs").code == 0, "spoolctl does not hang either")
        mount.end()
        #expect(try spool.runsOn("afterwards"))
        #expect(try spool.stop() == 0)
    }

    static let hers = [
        "new/games", "tasks/games", "schedules/games", "control/games", "tmp/games", "done/games", "running/games", "failed/games",
        "patterns/games",
        "users/games/state", "users/games/journal",
    ]

    @Test(
        "Attack 12: a hanging file system that a user mounts on their own directories holds up nobody else",
        .enabled(if: HangingMount.canMount && TestUser.areHere, "needs root, /dev/fuse and users who reach the programs"), arguments: hers,
        [true, false])
    func hangsOnUsers(path: String, isForAll: Bool) throws {
        let spool = try SpoolUnderTest.ofEverybody()
        #expect(try spool.ctl(as: .games, "submit", "--wait", "--", "true").code == 0)
        let mount = try HangingMount(at: "\(spool.path)/\(path)", isDirectory: true, of: isForAll ? nil : .games)
        defer { mount.end() }
        #expect(try spool.ctl(as: .daemon, "create", "t", "--every", "1h", "--", "true").code == 0)
        #expect(try spool.ctl(as: .daemon, "run", "--wait", "t").code == 0)
        #expect(try spool.runsOn("before"))
        try spool.crash()
        try spool.start()
        try spool.wait(for: "its problem") { spool.statusText.contains("something is mounted") && spool.statusText.contains(path) }
        #expect(try spool.ctl(as: .daemon, "run", "--wait", "t").code == 0)
        #expect(try spool.runsOn("after"))
        // Root sees everything else.
        for command in ["jobs", "list", "next", "top", "fsck", "journal"] {
            let result = try spool.ctl(command)
            #expect(result.code == 1 && result.errors.contains("spoolctl: games: something is mounted on \(path)"), "\(command): \(result)")
            #expect(["fsck", "journal"].contains(command) || result.output.contains("daemon/"), "\(command): \(result)")
        }
    }

    @Test(
        "Attack 12: a hanging file system that a user mounts in their records holds up no command of root",
        .enabled(if: HangingMount.canMount && TestUser.areHere, "needs root, /dev/fuse and users who reach the programs"),
        arguments: ["", "/status.json", "/stdout"], [true, false])
    func hangsWithin(file: String, isForAll: Bool) throws {
        let spool = try SpoolUnderTest.ofEverybody()
        for user in [TestUser.games, .daemon] {
            #expect(try spool.ctl(as: user, "create", "t", "--every", "1h", "--", "true").code == 0)
            #expect(try spool.ctl(as: user, "run", "--wait", "t").code == 0)
        }
        let record = try #require(try Files.list("\(spool.path)/done/games").first)
        let mount = try HangingMount(
            at: "\(spool.path)/done/games/\(record)\(file)", isDirectory: file.isEmpty, of: isForAll ? nil : .games)
        defer { mount.end() }
        for command in ["jobs", "list", "next", "top", "fsck", "journal"] {
            let result = try spool.ctl(command)
            #expect(["fsck", "journal"].contains(command) || result.output.contains("daemon/"), "\(command): \(result)")
        }
        #expect(try spool.runsOn())
    }

    @Test(
        "Attack 12: a hanging file system that is mounted on a file beside root's definitions is not asked",
        .enabled(if: HangingMount.canMount && TestUser.areHere, "needs root, /dev/fuse and users who reach the programs"),
        arguments: ["tasks/x.toml", "schedules/x.toml", "control/pause", "control/x.request"], [true, false])
    func hangsBeside(path: String, isForAll: Bool) throws {
        let spool = try SpoolUnderTest.ofEverybody()
        try TestUser.games.shell("touch \(spool.path)/\(path)")
        let mount = try HangingMount(at: "\(spool.path)/\(path)", isDirectory: false, of: isForAll ? nil : .games)
        defer { mount.end() }
        #expect(try spool.runsOn("before"))
        try spool.crash()
        try spool.start()
        #expect(try spool.runsOn("after"))
        for command in ["jobs", "list", "status", "top", "fsck"] { #expect(try spool.ctl(command).code == 0, "\(command)") }
        #expect(try spool.stop() == 0)
    }
}

/// A FUSE file system that is mounted and never served.
final class HangingMount {
    static let canMount: Bool = {
        guard isRoot, let directory = try? Files.makeTemporaryDirectory() else { return false }
        defer { try? Files.removeTree(directory) }  // litter at worst
        return (try? HangingMount(at: directory, isDirectory: true)) != nil
    }()

    private let path: String
    private var server: Int32

    /// With a user, only that user may access the mount, as with fusermount(1). Otherwise everybody may.
    init(at path: String, isDirectory: Bool, of user: TestUser? = nil) throws {
        self.path = path
        server = try FileDescriptor.open("/dev/fuse", O_RDWR).release()
        let owner = user.map { "user_id=\($0.id),group_id=\(getpwnam($0.name)?.pointee.pw_gid ?? 0)" }
        let mode = isDirectory ? "40755" : "100644"
        let options = "fd=\(server),rootmode=\(mode),\(owner ?? "user_id=0,group_id=0,allow_other")"
        guard mount("hanging", path, "fuse", UInt(MS_NOSUID | MS_NODEV), options) == 0 else {
            let failure = SystemError(call: "mount", path: path, errno: errno)
            close(server)
            server = -1
            throw failure
        }
    }

    /// Processes that wait for the file system get an error.
    func end() {
        guard server >= 0 else { return }
        close(server)
        server = -1
        umount2(path, Int32(MNT_DETACH))
    }

    deinit { end() }
}
