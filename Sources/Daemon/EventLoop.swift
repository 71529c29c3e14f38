import CLinux
import Linux
import Scheduler

/// The time at which a part of the daemon has something to do without an event. Empty when the part only has to handle events.
package struct Wake: Equatable {
    /// A time by the wall clock, for everything that is due by the calendar. It comes sooner or later when the clock is set.
    package var wall: Instant?
    /// A time by the clock that nobody can set, for everything that is due after a delay.
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

/// A part of the daemon, with its own state and deadlines.
package protocol Part: AnyObject {
    /// The time at which ``beforeTurn()`` or ``afterTurn()`` has something to do without an event.
    var wakeAt: Wake { get }
    /// False while the part has something under way for which the daemon must run.
    var isIdle: Bool { get }
    /// Does the work of this part that is due, before the service's turn.
    func beforeTurn() throws(SystemError)
    /// Does the work of this part that is due, after the service's turn.
    func afterTurn() throws(SystemError)
}

extension Part {
    package var isIdle: Bool { true }
    package func beforeTurn() {}
    package func afterTurn() {}
}

/// Waits for an event of a descriptor or for the least `wakeAt` of the daemon's parts, whichever is first.
///
/// It uses one epoll set and one timer. The timer follows the wall clock and also reports when this clock was set. What must hold:
/// - The events of a descriptor go to the handler with which it was added. After its removal they go to no handler, because no token number
///   is used twice.
/// - Before it waits, the loop asks every part for its deadline.
/// - Before and after each turn, the loop calls every part, in the order in which the parts were added.
package final class EventLoop {
    package typealias Handler = () throws(SystemError) -> Void

    /// Identifies a descriptor that was added to the loop.
    package struct Token: Hashable { fileprivate let number: UInt64 }

    private static let timerNumber: UInt64 = 0

    private let poll: Poll
    private let timer: Timer
    private var handlers: [UInt64: Handler] = [:]
    private var lastNumber = EventLoop.timerNumber
    private var parts: [any Part] = []
    /// The deadline for which the timer is set. Nil when the timer must be set again.
    private var armed: Wake?
    private var ready: [Poll.Event] = []
    /// Called when the wall clock was set: by a person, by NTP, or because the machine woke up from sleep. The argument is the time in
    /// milliseconds by which the clock was moved. It is 0 after sleep.
    package var clockWasSet: (Int64) throws(SystemError) -> Void = { _ in }
    /// The wall clock less the boot clock, which nobody can set, in milliseconds.
    private var clockOffset = EventLoop.presentClockOffset()

    package init() throws(SystemError) {
        poll = try Poll()
        timer = try Timer()
        try poll.add(timer.descriptor.raw, token: Self.timerNumber)
    }

    /// Adds a part, for whose deadlines the loop then wakes up.
    package func add(_ part: any Part) { parts.append(part) }

    /// Traps in a debug build when `owner`, or a value in it, has a part that was not added to the loop: nothing would ever wake that part.
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

    /// True when no part has anything under way.
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

    /// Removes a descriptor. Must be called before the descriptor is closed.
    package func remove(_ raw: Int32, _ token: Token) {
        guard handlers.removeValue(forKey: token.number) != nil else { return }
        try? poll.remove(raw)  // fails only if it is not in the set, which is the wanted result
    }

    /// Forgets a descriptor that has been closed: closing has removed it from the epoll set.
    package func forget(_ token: Token) { handlers[token.number] = nil }

    /// Waits for events and calls their handlers. With `isBusy` does not wait, because there is work anyway.
    package func wait(isBusy: Bool) throws(SystemError) {
        let wasSet = try arm()
        if wasSet { try clockWasSet(takeClockMove()) }
        try poll.wait(timeoutMilliseconds: isBusy || wasSet ? 0 : -1, into: &ready)
        for event in ready {
            if event.token == Self.timerNumber {
                armed = nil
                if try timer.read() == .clockChanged { try clockWasSet(takeClockMove()) }
            } else {
                // There is no handler when the handler of another event has just removed the descriptor.
                try handlers[event.token]?()
            }
        }
    }

    private static func presentClockOffset() -> Int64 { Clock.now() - Int64(linux_boot_nanoseconds() / 1_000_000) }

    private func takeClockMove() -> Int64 {
        let before = clockOffset
        clockOffset = Self.presentClockOffset()
        return clockOffset - before
    }

    /// Sets the timer to the least deadline. Returns true when the wall clock was set since the timer was last read.
    private func arm() throws(SystemError) -> Bool {
        var least = Wake()
        for part in parts { least.include(part.wakeAt) }
        var wall = least.wall
        if let monotonic = least.monotonic {
            let left = monotonic.millisecondsLeft()
            // The wall clock is rounded down to a millisecond. One millisecond more, and the timer is never early.
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
