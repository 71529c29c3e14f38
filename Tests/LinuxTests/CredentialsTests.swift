import CLinux
import Glibc
import Linux
import Testing
import WorkerProtocol

private let stranger = Credentials(user: 64101, group: 64102, groups: [64102, 64103, 64104])
private let isRoot = geteuid() == 0

@Suite struct CredentialsTests {
    @Test func textIsReadAsItIsWritten() {
        #expect(stranger.text == "64101:64102:64102,64103,64104")
        #expect(Credentials(stranger.text) == stranger)
    }

    @Test("A text that is no user's number is refused", arguments: [
        "", "1", "1:1", "1:1:", "a:1:1", "1:1:1,", "-1:1:1", "4294967295:1:1", "1:4294967295:1", "1:1:4294967295", "1:1:1:1", " 1:1:1",
    ])
    func refused(text: String) { #expect(Credentials(text) == nil) }

    @Test("Attack 32: the groups of a user are those that id(1) lists", arguments: ["root", "daemon", "nobody", "postgres", "www-data"])
    func groups(name: String) throws {
        guard let user = try User.find(name: name) else { return }
        let worker = try WorkerUnderTest()
        _ = try worker.run(worker.shell("id -G \(name)"))
        let listed = Set(try worker.temporary.text("stdout").split(whereSeparator: \.isWhitespace).compactMap { gid_t($0) })
        let found = try user.groups(with: user.group)
        #expect(Set(found) == listed && found.first == user.group)
        #expect(try user.groups(with: 64102).first == 64102)
    }

    @Test(
        "Attack 32: a worker for a user is that user for good, in exactly those groups, with no capability (incron 0.3.4, incron 0.5.7)",
        .enabled(if: isRoot, "only root can become another user")
    )
    func becomes() throws {
        let worker = try WorkerUnderTest(as: stranger)
        #expect(chmod(worker.temporary.path, 0o777) == 0)
        // The numbers in a line of /proc are the real, effective, saved and file-system ids.
        let script = """
            grep -hE '^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)|NoNewPrivs)' /proc/self/status /proc/$PPID/status; setpriv --reuid 0 true 2>&1 \
            || echo never
            """
        #expect(try worker.run(worker.shell(script)).kind == .exited(code: 0))
        let lines = try worker.temporary.text("stdout").split(separator: "\n").map {
            $0.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        for line in [
            "Uid: 64101 64101 64101 64101", "Gid: 64102 64102 64102 64102", "Groups: 64102 64103 64104", "CapInh: 0000000000000000",
            "CapPrm: 0000000000000000", "CapEff: 0000000000000000", "CapAmb: 0000000000000000", "NoNewPrivs: 0",
        ] {
            #expect(lines.filter { $0 == line }.count == 2, "\(line) of \(lines)")
        }
        #expect(lines.last == "never", "\(lines)")
    }

    @Test("The user can neither trace its worker nor read its files", .enabled(if: isRoot, "only root can become another user"))
    func outOfReach() throws {
        let worker = try WorkerUnderTest(as: stranger)
        #expect(chmod(worker.temporary.path, 0o777) == 0)
        let script = "ls /proc/$PPID/fd /proc/$PPID/fd/ && exit 1; cat /proc/$PPID/environ && exit 2; exit 0"
        #expect(try worker.run(worker.shell(script)).kind == .exited(code: 0))
    }

    @Test(
        "Attack 31: when a step fails, or succeeds only seemingly, no run is begun (CVE-2006-2607)",
        .enabled(if: isRoot && access("/usr/bin/strace", X_OK) == 0, "needs root and strace"),
        arguments: [
            "setgroups:error=EPERM", "setresgid:error=EPERM", "setresuid:error=EAGAIN", "capset:error=EPERM", "keyctl:error=EDQUOT",
            "prctl:error=EINVAL:when=1", "getresuid:error=EFAULT", "getresgid:error=EFAULT", "getgroups:error=EFAULT",
            "capget:error=EFAULT",
            "setgroups:retval=0", "setresgid:retval=0", "setresuid:retval=0", "setuid:retval=0",
        ])
    func failingSteps(fault: String) throws {
        let call = fault.prefix { $0 != ":" }
        let worker = try WorkerUnderTest(
            as: stranger, by: ["/usr/bin/strace", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e", "inject=\(fault)"])
        let refusal = try #require(try worker.refusal(), "\(fault): it serves")
        #expect(!refusal.isEmpty)
        #expect(try worker.exitCode() == 3)
        #expect(worker.record == nil)
    }

    @Test("A process that is not root can become no other user", .enabled(if: isRoot, "starts as root"))
    func notRoot() throws {
        let worker = try WorkerUnderTest(
            as: stranger, by: ["/usr/bin/setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"])
        #expect(try worker.refusal()?.contains("setgroups") == true)
        #expect(try worker.exitCode() == 3)
    }
}
