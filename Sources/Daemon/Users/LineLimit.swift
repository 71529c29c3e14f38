import Linux

/// Limits the number of log lines that one user may cause. Of each kind, 300 lines in 30 seconds are written; then one line with the number
/// of lines that were left out.
package struct LineLimit {
    /// journald drops the lines of a unit beyond 10,000 in 30 seconds.
    package static let lines = 300
    package static let milliseconds: Int64 = 30_000

    package struct LeftOut: Equatable {
        package var user: String
        package var kind: String
        package var count: Int

        package init(user: String, kind: String, count: Int) {
            self.user = user
            self.kind = kind
            self.count = count
        }
    }

    private struct Key: Hashable {
        var user: String
        var kind: String
    }

    private struct Window {
        var end: MonotonicInstant
        var lines = 0
        var leftOut = 0
    }

    private var windows: [Key: Window] = [:]
    /// The end of the first window in which lines were left out.
    package private(set) var next: MonotonicInstant?

    package init() {}

    /// Counts a line of this kind, and returns true when it may be written.
    package mutating func admits(_ kind: String, of user: String, at now: MonotonicInstant) -> Bool {
        let key = Key(user: user, kind: kind)
        var window = windows[key] ?? Window(end: now.advanced(byMilliseconds: Self.milliseconds))
        // A window that has ended and has a count of left out lines stays until `takeOver` has returned that count.
        if window.end <= now, window.leftOut == 0 { window = Window(end: now.advanced(byMilliseconds: Self.milliseconds)) }
        window.lines += 1
        let isAdmitted = window.lines <= Self.lines
        if !isAdmitted {
            window.leftOut += 1
            next = min(next ?? window.end, window.end)
        }
        windows[key] = window
        return isAdmitted
    }

    /// Ends the windows whose time is over, and returns how many lines were left out in each.
    package mutating func takeOver(at now: MonotonicInstant) -> [LeftOut] {
        guard let due = next, due <= now else { return [] }
        let ended = windows.filter { $0.value.end <= now }
        windows = windows.filter { $0.value.end > now }
        next = windows.values.lazy.filter { $0.leftOut > 0 }.map(\.end).min()
        return ended.filter { $0.value.leftOut > 0 }.map { LeftOut(user: $0.key.user, kind: $0.key.kind, count: $0.value.leftOut) }
            .sorted { ($0.user, $0.kind) < ($1.user, $1.kind) }
    }
}
