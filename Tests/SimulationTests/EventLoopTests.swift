import Daemon
import Linux
import Scheduler
import Testing

@Suite("The event loop") struct EventLoopTests {
    /// A part that wants to be woken at a moment, and counts its turns.
    private final class Sleeper: Part {
        var wakeAt: Wake
        private(set) var turns = 0

        init(_ wakeAt: Wake) { self.wakeAt = wakeAt }

        func beforeTurn() {
            turns += 1
            wakeAt = Wake()
        }
    }

    private static func soon(isWall: Bool) -> Wake {
        isWall
            ? Wake(wall: Instant(milliseconds: Clock.now()).advanced(byMilliseconds: 30))
            : Wake(monotonic: MonotonicInstant.now().advanced(byMilliseconds: 30))
    }

    @Test("The loop wakes up for the part that wants it first, by either clock, and not before", arguments: [false, true], [0, 1, 2])
    func wakes(isWall: Bool, place: Int) throws {
        let loop = try EventLoop()
        let hours = MonotonicInstant.now().advanced(byMilliseconds: 3_600_000)
        for _ in 0..<place { loop.add(Sleeper(Wake(monotonic: hours))) }
        let due = Self.soon(isWall: isWall)
        let part = Sleeper(due)
        loop.add(part)
        loop.add(Sleeper(Wake(wall: Instant(milliseconds: Clock.now()).advanced(byMilliseconds: 3_600_000))))
        loop.add(Sleeper(Wake()))
        // If the loop ignored the deadline, this would wait for an hour.
        try loop.wait(isBusy: false)
        if let instant = due.wall { #expect(Clock.now() >= instant.milliseconds) }
        if let instant = due.monotonic { #expect(MonotonicInstant.now() >= instant) }
        try loop.beforeTurn()
        #expect(part.turns == 1)
    }

    @Test("A part that was woken is woken again for its next deadline")
    func wakesAgain() throws {
        let loop = try EventLoop()
        let part = Sleeper(Self.soon(isWall: false))
        loop.add(part)
        for turn in 1...3 {
            try loop.wait(isBusy: false)
            try loop.beforeTurn()
            #expect(part.turns == turn)
            part.wakeAt = Self.soon(isWall: turn == 2)
        }
    }

    @Test("An event goes to the handler of its descriptor, and to none that was removed in the same turn")
    func handlers() throws {
        final class Seen { var names: [String] = [] }
        let seen = Seen()
        let loop = try EventLoop()
        let first = try Pipe()
        let second = try Pipe()
        var tokens: [EventLoop.Token] = []
        let raws = [first.reading.raw, second.reading.raw]
        for (raw, name) in zip(raws, ["first", "second"]) {
            tokens.append(
                try loop.add(raw) {
                    seen.names.append(name)
                    // Both handlers remove both descriptors. The event of the second one is still waiting in the same turn.
                    for (raw, token) in zip(raws, tokens) { loop.remove(raw, token) }
                })
        }
        try first.writing.write([1])
        try second.writing.write([1])
        try loop.wait(isBusy: false)
        #expect(seen.names.count == 1)
        try loop.wait(isBusy: true)
        #expect(seen.names.count == 1)
    }
}
