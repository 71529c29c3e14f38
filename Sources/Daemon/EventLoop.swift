import Linux
import Scheduler

/// When a part of the daemon has something to do although no event comes. Empty: only events concern the part.
package struct Wake: Equatable {
    /// By the wall clock, for what the calendar says. Setting the clock moves this moment.
    package var wall: Instant?
    /// By the clock that is never set, for what is to happen a while later.
    package var monotonic: MonotonicInstant?

    package init(wall: Instant? = nil, monotonic: MonotonicInstant? = nil) {
        self.wall = wall
        self.monotonic = monotonic
    }

    mutating func include(_ other: Wake) {
        if let instant = other.wall { wall = min(wall ?? instant, instant) }
        if let instant = other.monotonic { monotonic = min(monotonic ?? instant, instant) }
    }
}

/// A part of the daemon, with state and deadlines of its own.
package protocol Part: AnyObject {
    /// When ``beforeTurn()`` or ``afterTurn()`` has something to do although no event comes.
    var wakeAt: Wake { get }
    /// False while something is under way that a daemon has to run for.
    var isIdle: Bool { get }
    /// Does what is due, before the service's turn.
    func beforeTurn() throws(SystemError)
    /// Does what is due, after the service's turn.
    func afterTurn() throws(SystemError)
}

extension Part {
    package var isIdle: Bool { true }
    package func beforeTurn() {}
    package func afterTurn() {}
}

/// Waits for whatever comes first: an event of a descriptor, or the least `wakeAt` of the daemon's parts. Then the parts do what is due.
///
/// One epoll set and one timer by the wall clock, which also reports that this clock was set. What must hold:
/// - A descriptor's events go to the handler it was added with, and to none after it was removed: no number is used twice.
/// - The loop asks every part for its deadline before it waits, and has every part do what is due before and after each turn, in the order
///   in which they were added.
package final class EventLoop {
    package typealias Handler = () throws(SystemError) -> Void

    /// What one descriptor was added as.
    package struct Token: Hashable { fileprivate let number: UInt64 }

    private static let timerNumber: UInt64 = 0

    private let poll: Poll
    private let timer: Timer
    private var handlers: [UInt64: Handler] = [:]
    private var lastNumber = EventLoop.timerNumber
    private var parts: [any Part] = []
    /// The time for which the timer is set, by one clock or the other. Nil when it must be set again.
    private var armed: Wake?
    private var ready: [Poll.Event] = []
    /// Called when the wall clock was set: by a person, by NTP, or because the machine woke up from sleep.
    package var clockWasSet: () throws(SystemError) -> Void = {}

    package init() throws(SystemError) {
        poll = try Poll()
        timer = try Timer()
        try poll.add(timer.descriptor.raw, token: Self.timerNumber)
    }

    /// Has the loop wake up for the part.
    package func add(_ part: any Part) { parts.append(part) }

    /// Traps, in a debug build, when `owner`, or a value that it keeps, keeps a part that the loop does not have: that part would never be
    /// woken.
    package func assertHasParts(of owner: Any) {
        assert(
            parts(in: owner, depth: 3).allSatisfy { part in parts.contains { $0 === part } },
            "\(type(of: owner)) has a part that is not in the loop")
    }

    private func parts(in owner: Any, depth: Int) -> [any Part] {
        Mirror(reflecting: owner).children.flatMap { child -> [any Part] in
            if let part = child.value as? any Part { return [part] }
            let isClass = Mirror(reflecting: child.value).displayStyle == .class
            return isClass || depth == 0 ? [] : parts(in: child.value, depth: depth - 1)
        }
    }

    /// Nothing is under way in any part.
    package var isIdle: Bool { parts.allSatisfy(\.isIdle) }

    package func beforeTurn() throws(SystemError) { for part in parts { try part.beforeTurn() } }
    package func afterTurn() throws(SystemError) { for part in parts { try part.afterTurn() } }

    /// Calls `handler` in each turn in which the descriptor has an event.
    package func add(_ raw: Int32, _ flags: Poll.Flags = .readable, _ handler: @escaping Handler) throws(SystemError) -> Token {
        lastNumber += 1
        try poll.add(raw, flags, token: lastNumber)
        handlers[lastNumber] = handler
        return Token(number: lastNumber)
    }

    /// To be called before the descriptor is closed.
    package func remove(_ raw: Int32, _ token: Token) {
        guard handlers.removeValue(forKey: token.number) != nil else { return }
        try? poll.remove(raw)  // fails only if it is not there, which is what is wanted
    }

    /// To be called when the descriptor has been closed, which took it out of the epoll set.
    package func forget(_ token: Token) { handlers[token.number] = nil }

    /// Waits, and calls the handlers of what has happened. `isBusy`: does not wait, because there is something to do anyway.
    package func wait(isBusy: Bool) throws(SystemError) {
        let wasSet = try arm()
        if wasSet { try clockWasSet() }
        try poll.wait(timeoutMilliseconds: isBusy || wasSet ? 0 : -1, into: &ready)
        for event in ready {
            if event.token == Self.timerNumber {
                armed = nil
                if try timer.read() == .clockChanged { try clockWasSet() }
            } else {
                // Removed by the handler of another event of this turn: nothing is to be done.
                try handlers[event.token]?()
            }
        }
    }

    /// Sets the timer to the least deadline. True when the wall clock was set since the timer last looked.
    private func arm() throws(SystemError) -> Bool {
        var least = Wake()
        for part in parts { least.include(part.wakeAt) }
        var wall = least.wall
        if let monotonic = least.monotonic {
            let left = monotonic.millisecondsLeft()
            // The wall clock shows the millisecond that has begun: with one more, the timer is never early.
            let instant = Instant(milliseconds: Clock.now()).advanced(byMilliseconds: left == 0 ? 0 : left + 1)
            if let later = wall, instant <= later {
                least.wall = nil
                wall = instant
            } else if wall == nil {
                wall = instant
            } else {
                least.monotonic = nil
            }
        }
        guard least != armed else { return false }
        armed = least
        guard let wall else {
            try timer.disarm()
            return false
        }
        guard try timer.set(milliseconds: wall.milliseconds) else { return false }
        armed = nil
        return true
    }
}
