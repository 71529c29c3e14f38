import CLinux
import Glibc
import Linux
import TestSupport
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
        // A process that another test starts may hold a copy of the descriptor for a moment. The file is closed only after that.
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
        // Sends the signal to this thread, because this thread blocks it.
        pthread_kill(pthread_self(), SIGUSR2)
        try awaitReadable(signals.descriptor.raw)
        #expect(try signals.next() == SignalDescriptor.Signal(number: SIGUSR2, pid: getpid(), user: getuid()))
        #expect(try signals.next() == nil)
    }
}
