import CLinux
import Glibc
import Linux
import Testing

@Suite struct EventTests {
    @Test func inotifyTellsWhatHappenedToWhichName() throws {
        let temporary = try TemporaryDirectory()
        let inotify = try Inotify()
        let watch = try inotify.add(temporary.path, [.closedAfterWriting, .movedFrom, .movedTo, .deleted, .onlyDirectory])
        var events: [InotifyEvent] = []
        #expect(try inotify.readEvents(into: &events) == false)
        #expect(events.isEmpty)

        let name = FileName.string(from: [0x66, 0xFC])
        try temporary.write("a", "x")
        // A process that another test starts may hold a copy of its descriptor for a moment: closed is it only after that.
        try awaitReadable(inotify.descriptor.raw)
        try temporary.directory.rename("a", to: name)
        try temporary.directory.unlink(name)
        try awaitReadable(inotify.descriptor.raw)
        #expect(try inotify.readEvents(into: &events) == false)
        #expect(events.map(\.name) == ["a", "a", name, name])
        #expect(events.map(\.mask) == [.closedAfterWriting, .movedFrom, .movedTo, .deleted])
        #expect(events.allSatisfy { $0.watch == watch })
        #expect(events[1].cookie == events[2].cookie && events[1].cookie != 0)

        events = []
        try inotify.remove(watch)
        _ = try inotify.readEvents(into: &events)
        #expect(events.map(\.mask) == [.ignored])
        #expect(throws: SystemError.self) { try inotify.add(temporary.path + "/missing", .created) }
    }

    @Test func inotifySaysWhenItLostEvents() throws {
        let settings = try Directory.open("/proc/sys/fs/inotify")
        let limit = Int(String(decoding: try settings.readFile("max_queued_events", limit: .max).dropLast(), as: UTF8.self))!
        let temporary = try TemporaryDirectory()
        let inotify = try Inotify()
        _ = try inotify.add(temporary.path, [.movedFrom, .movedTo])
        try temporary.write("0", "")
        for number in 0..<(limit / 2 + 1) { try temporary.directory.rename("\(number)", to: "\(number + 1)") }
        var events: [InotifyEvent] = []
        #expect(try inotify.readEvents(into: &events) == true)
        #expect(events.last?.mask == .overflow && events.last?.watch == -1)
        #expect(events.count == limit + 1)
    }

    @Test func aTimerFiresAtOrAfterItsInstant() throws {
        let timer = try Timer()
        #expect(try timer.read() == nil)
        let due = Clock.now() + 20
        try timer.set(milliseconds: due)
        try awaitReadable(timer.descriptor.raw)
        #expect(Clock.now() >= due)
        #expect(try timer.read() == .fired)
        try timer.set(milliseconds: -5)
        try awaitReadable(timer.descriptor.raw)
        #expect(try timer.read() == .fired)
        try timer.set(milliseconds: 0)
        try timer.disarm()
        #expect(try timer.read() == nil)
    }

    @Test func pollTellsByTokenWhoIsReady() throws {
        let poll = try Poll()
        let pair = try SocketPair(nonBlocking: true)
        var events: [Poll.Event] = []
        try poll.add(pair.first.raw, token: .max - 1)
        try poll.wait(timeoutMilliseconds: 0, into: &events)
        #expect(events.isEmpty)
        try pair.second.write([1])
        try poll.wait(timeoutMilliseconds: patienceMilliseconds, into: &events)
        #expect(events == [Poll.Event(token: .max - 1, flags: .readable)])
        try poll.remove(pair.first.raw)
        try poll.add(pair.first.raw, .writable, token: 7)
        try poll.wait(timeoutMilliseconds: patienceMilliseconds, into: &events)
        #expect(events == [Poll.Event(token: 7, flags: .writable)])
        try poll.remove(pair.first.raw)
        try poll.wait(timeoutMilliseconds: 0, into: &events)
        #expect(events.isEmpty)
    }

    @Test func signalsAreRead() throws {
        let signals = try SignalDescriptor([SIGUSR2])
        #expect(try signals.next() == nil)
        // To this thread, which is the one that blocks it.
        pthread_kill(pthread_self(), SIGUSR2)
        try awaitReadable(signals.descriptor.raw)
        #expect(try signals.next() == SignalDescriptor.Signal(number: SIGUSR2, pid: getpid(), user: getuid()))
        #expect(try signals.next() == nil)
    }
}

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
        let pid = try Process.spawn(
            "/bin/sh", arguments: ["sh", "-c", script], environment: ["A=b c"], descriptors: [(low, high), (high, low)],
            directory: temporary.path, newSession: true)
        #expect(status(of: pid) == 0)
        let (lowName, highName) = one.raw < two.raw ? ("one", "two") : ("two", "one")
        #expect(try temporary.text(highName) == "high\n")
        #expect(try temporary.text(lowName) == "low\n\(temporary.path) b c\n")
    }

    @Test func spawningTellsWhyNot() throws {
        #expect(throws: SystemError(call: "spawn", path: "/nope", errno: ENOENT)) {
            try Process.spawn("/nope", arguments: ["nope"], environment: [])
        }
        #expect(throws: SystemError.self) { try Process.spawn("/bin/true", arguments: ["a\0b"], environment: []) }
    }

    @Test func aProcessIsKnownByNumberAndStart() throws {
        let pid = try Process.spawn("/bin/sleep", arguments: ["sleep", "1000"], environment: [])
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

    @Test("A wait is over when its moment has come, and not before", arguments: [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2), (-5, 0)])
    func waitsAreRoundedUp(nanoseconds: Int64, milliseconds: Int64) {
        let now = MonotonicInstant(milliseconds: 7)
        #expect(now.advanced(byNanoseconds: nanoseconds).millisecondsLeft(at: now) == milliseconds)
    }

    @Test func endlessWaitsStayEndless() {
        let now = MonotonicInstant(milliseconds: 7)
        #expect(now.advanced(byMilliseconds: .max) == MonotonicInstant(nanoseconds: .max))
        #expect(now.advanced(byMilliseconds: .max).pollTimeout(at: now) == .max)
        #expect(now.advanced(byMilliseconds: 3).milliseconds(since: now) == 3 && now.milliseconds(since: now.advanced(byMilliseconds: 3)) == -3)
    }
}
