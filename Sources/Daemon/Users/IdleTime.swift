import Linux

/// Since when a user's daemon has had nothing to do, and whether it has asked root's daemon to let it end.
struct IdleTime {
    /// How long there is nothing to do before it asks, and how long there must be nothing from then on.
    static let milliseconds: Int64 = 20_000
    static let restMillisecondsMin: Int64 = 60_000
    /// How long before something is due it must run again.
    static let earlyMilliseconds: Int64 = 2000

    private var since: MonotonicInstant?
    private(set) var isAsked = false
    /// Root's daemon watches the user's directories from now on.
    private(set) var isGranted = false

    mutating func isBusy() { self = IdleTime() }

    /// Root's daemon has answered.
    mutating func wasGranted() { isGranted = isAsked }

    /// True when it is time to ask, once.
    mutating func isOver(at now: MonotonicInstant) -> Bool {
        let since = since ?? now
        self.since = since
        guard !isAsked, now.milliseconds(since: since) >= Self.milliseconds else { return false }
        isAsked = true
        return true
    }

    var wakeAt: MonotonicInstant? { isAsked ? nil : since?.advanced(byMilliseconds: Self.milliseconds) }
}
