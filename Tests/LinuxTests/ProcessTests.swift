import CLinux
import Glibc
import Linux
import TestSupport
import Testing

@Suite struct ProcessTests {
    private func status(of pid: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        return status
    }

    @Test func spawningMapsDescriptorsEvenCrossed() throws {
        let temporary = try TemporaryDirectory()
        let one = try temporary.directory.openFile("one", O_WRONLY | O_CREAT)
        let two = try temporary.directory.openFile("two", O_WRONLY | O_CREAT)
        let (low, high) = (min(one.raw, two.raw), max(one.raw, two.raw))
        let script = """
            cd /proc/self/fd
            echo low >> \(high); echo high >> \(low); echo "$OLDPWD $A" >> \(high)
            """
        let pid = try Descriptors.alone {
            try Process.spawn(
                "/bin/sh", arguments: ["sh", "-c", script], environment: ["A=b c"], descriptors: [(low, high), (high, low)],
                directory: temporary.path, newSession: true)
        }
        #expect(status(of: pid) == 0)
        let (lowName, highName) = one.raw < two.raw ? ("one", "two") : ("two", "one")
        #expect(try temporary.text(highName) == "high\n")
        #expect(try temporary.text(lowName) == "low\n\(temporary.path) b c\n")
    }

    @Test func spawningTellsWhyNot() throws {
        #expect(throws: SystemError(call: "spawn", path: "/nope", errno: ENOENT)) {
            try Descriptors.alone { try Process.spawn("/nope", arguments: ["nope"], environment: []) }
        }
        #expect(throws: SystemError(call: "chdir", path: "/nope", errno: ENOENT)) {
            try Descriptors.alone { try Process.spawn("/bin/true", arguments: ["true"], environment: [], directory: "/nope") }
        }
        #expect(throws: SystemError.self) { try Process.spawn("/bin/true", arguments: ["a\0b"], environment: []) }
    }

    @Test func aProcessIsKnownByNumberAndStart() throws {
        let pid = try Descriptors.alone { try Process.spawn("/bin/sleep", arguments: ["sleep", "1000"], environment: []) }
        let pidfd = try Process.openPidfd(pid)
        let status = try ProcessStatus.read(pid)
        let ownStart = try Process.startTime(getpid())
        #expect(status.parent == getpid() && status.startTime >= ownStart)
        #expect(try Process.signal(SIGKILL, to: pid))
        try awaitReadable(pidfd.raw)
        #expect(linux_wtermsig(self.status(of: pid)) == SIGKILL)
        #expect(try Process.signal(0, to: pid) == false)
        #expect(throws: SystemError.self) { try Process.startTime(pid) }
        #expect(try Process.bootID().utf8.count == 36)
    }

    @Test func theStartTimeOfANewProcessIsKnownFromTheClock() throws {
        var startTimes = StartTimes()
        for _ in 0..<20 {
            let process = try Descriptors.alone { try Process.start("/bin/sleep", arguments: ["sleep", "1000"], environment: []) }
            #expect(try startTimes.startTime(of: process) == Process.startTime(process.pid))
            try Process.signal(SIGKILL, to: process.pid)
            _ = status(of: process.pid)
        }
    }

    @Test func usersAreFound() throws {
        let root = try User.find(id: 0)
        #expect(root?.name == "root" && root?.home == "/root")
        #expect(try User.find(name: "root") == root)
        #expect(try User.find(name: "no-such-user-here") == nil)
    }

    @Test func clocksGoForward() {
        let first = MonotonicInstant.now()
        #expect(MonotonicInstant.now() >= first)
        #expect(Clock.now() > 1_700_000_000_000)
    }

    @Test(
        "A wait is over when its moment has come, and not before",
        arguments: [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2), (-5, 0)]
    )
    func waitsAreRoundedUp(nanoseconds: Int64, milliseconds: Int64) {
        let now = MonotonicInstant(milliseconds: 7)
        #expect(now.advanced(byNanoseconds: nanoseconds).millisecondsLeft(at: now) == milliseconds)
    }

    @Test func endlessWaitsStayEndless() {
        let now = MonotonicInstant(milliseconds: 7)
        #expect(now.advanced(byMilliseconds: .max) == MonotonicInstant(nanoseconds: .max))
        #expect(now.advanced(byMilliseconds: .max).pollTimeout(at: now) == .max)
        #expect(
            now.advanced(byMilliseconds: 3).milliseconds(since: now) == 3 && now.milliseconds(since: now.advanced(byMilliseconds: 3)) == -3)
    }
}
