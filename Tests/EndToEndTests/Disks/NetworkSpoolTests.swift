import Glibc
import Testing

/// A spool on NFS. There is no NFS server here, so strace(1) changes the answer of statfs(2).
@Suite("A spool on a network file system", .ownThreads, .enabled(if: Commands.has("strace"), "strace is not installed"))
struct NetworkSpoolTests {
    // statfs(2): f_type is the first word of the result; 0x6969 is NFS_SUPER_MAGIC. fstatfs(2) is not changed, because spoold
    // does not call it.
    private static let tracer = [
        "/usr/bin/strace", "-D", "-qq", "-o", "/dev/null", "-e", "trace=statfs", "-e", "inject=statfs:poke_exit=@arg2=6969000000000000",
    ]

    @Test("Attack 77: a spool on NFS is served with a warning, and a standby there is refused")
    func warns() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.launch(tracer: Self.tracer)
        try spool.notification("READY=1")
        try spool.logLine("event=network-file-system", "kind=NFS")
        #expect(try spool.runsOn())
        let standby = try Commands.run(
            Self.tracer[0],
            Self.tracer.dropFirst()
                + ["\(SpoolUnderTest.programs)/spoold", "--spool", spool.path, "--config", spool.configuration, "--standby"])
        #expect(standby.code == 1 && standby.error.contains("is on a network file system, NFS"), "\(standby)")
        try spool.restart()
        #expect(spool.count("event=network-file-system") == 1, "on a disk of this machine nothing is said")
    }
}
