// Jobs of a spool on a host that is away for a while: cut off, slow, or without its sshd.

import Glibc
import Linux
import TestSupport
import Testing

@Suite("Jobs on a host that is away", .ownThreads, .enabled(if: FarHost.areHere, FarHost.reason))
struct SSHAwayTests {
    @Test("X3: A link that is slow ends nothing and loses nothing", .enabled(if: SlowLink.areHere, SlowLink.reason))
    func slowLink() throws {
        let host = try FarHost("build1")
        host.link = try SlowLink(to: host, milliseconds: 150)
        let spool = try FarHost.spool([host])
        let gate = try spool.gate()
        let id = try Self.begin(spool, gate)
        try gate.release()
        let job = try spool.end(ofID: id)
        #expect(try job.outcome == "failed exit 6" && job.stdout == "over\n", "\(job.outcome)")
        #expect(try spool.linesNow("starts") == ["begun"])
    }

    /// A job that has begun there, and waits at the gate.
    private static func begin(_ spool: SpoolUnderTest, _ gate: Gate) throws -> String {
        let command = "echo begun >> \(spool.out)/starts; read x < \(gate.path); echo over; exit 6"
        let id = try spool.ctl("submit", "--executor", "ssh", "--", command).id
        try spool.lines("starts", count: 1)
        return id
    }

    private static func awaitUndecided(_ spool: SpoolUnderTest, _ id: String) throws {
        try spool.watch("running/\(id)")
        try spool.wait(for: "the host to be away") { try spool.job(id, in: "running")?.remote("state") == "undecided" }
        let why = try spool.ctl("why", id).output
        #expect(why.contains("Executor ssh cannot say how it stands since") && why.contains("stays open until that is known"), "\(why)")
    }

    @Test("X3: A host that is away leaves its job undecided, why says so, and its end is told when it is back")
    func away() throws {
        let host = try FarHost("build1")
        let spool = try FarHost.spool([host])
        let gate = try spool.gate()
        let id = try Self.begin(spool, gate)
        host.stop()
        try Self.awaitUndecided(spool, id)
        try gate.release()
        #expect(try spool.job(id, in: "running") != nil)
        try host.start()
        let job = try spool.end(ofID: id)
        #expect(try job.outcome == "failed exit 6" && job.stdout == "over\n", "\(job.outcome)")
        #expect(try spool.linesNow("starts") == ["begun"])
    }

    @Test("X3: With lost_after in the configuration, the job of a host that stays away is lost")
    func awayForGood() throws {
        let host = try FarHost("build1")
        let spool = try FarHost.spool([host], "lost_after = \"1s\"")
        let gate = try spool.gate()
        let id = try Self.begin(spool, gate)
        host.stop()
        let job = try spool.end(ofID: id)
        #expect(job.outcome == "failed lost" && job.error.contains("its executor has not answered for"), "\(job.outcome)")
        try gate.release()
    }

    @Test(
        "X3: A link that is cut while a job runs, and mended, costs neither its exit code nor a byte",
        .enabled(if: NetworkNamespace.areHere, NetworkNamespace.reason))
    func cutLink() throws {
        let network = try NetworkNamespace()
        let host = try FarHost("build1", in: network)
        let spool = try FarHost.spool([host], "options = [\"ConnectTimeout=1\", \"ServerAliveInterval=1\", \"ServerAliveCountMax=1\"]")
        let gate = try spool.gate()
        let id = try Self.begin(spool, gate)
        try network.cut()
        try Self.awaitUndecided(spool, id)
        try gate.release()
        try network.mend()
        let job = try spool.end(ofID: id)
        #expect(try job.outcome == "failed exit 6" && job.stdout == "over\n", "\(job.outcome)")
        #expect(try spool.linesNow("starts") == ["begun"])
    }
}
