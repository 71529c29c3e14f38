import Linux

/// The time for which a user's daemon has had nothing to do, and its request to root's daemon that it may end.
struct IdleTime {
    /// The daemon asks after this time without work.
    static let milliseconds: Int64 = 20_000
    /// The daemon asks only when nothing is due within this time.
    static let restMillisecondsMin: Int64 = 60_000
    /// Root's daemon starts it again this long before something is due.
    static let earlyMilliseconds: Int64 = 2000

    /// The time since when there is nothing to do. Nil while there is something.
    private var since: MonotonicInstant?
    private(set) var isAsked = false
    /// True when root's daemon has agreed. It watches the user's directories from then on.
    private(set) var isGranted = false

    /// Called in each turn in which there is something to do.
    mutating func isBusy() { self = IdleTime() }

    /// Called when root's daemon has agreed. An answer to a request that has been taken back does not count.
    mutating func wasGranted() { isGranted = isAsked }

    /// Called in each turn in which there is nothing to do. Returns true, once, when it is time to ask.
    mutating func isOver(at now: MonotonicInstant) -> Bool {
        let since = since ?? now
        self.since = since
        guard !isAsked, now.milliseconds(since: since) >= Self.milliseconds else { return false }
        isAsked = true
        return true
    }

    var wakeAt: MonotonicInstant? { isAsked ? nil : since?.advanced(byMilliseconds: Self.milliseconds) }
}
