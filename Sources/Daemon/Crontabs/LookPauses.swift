import Linux

/// The crontabs that were looked at a moment ago, because they had changed. One that changes all the time is looked at twice a second, so
/// that nobody keeps the daemon busy by editing.
///
/// Invariant: a change within a pause is not lost. Its path is ``due(at:)`` when the pause is over.
package struct LookPauses {
    /// Shorter than the time for which a crontab that is gone keeps its tasks: an editor may put it back within a pause.
    package static let milliseconds: Int64 = 500

    private var pauses: [String: (end: MonotonicInstant, hasChanged: Bool)] = [:]
    /// The end of the first pause. Nil when there is none.
    private var firstEnd: MonotonicInstant?
    private var changes = 0

    package init() {}

    /// Called when the file has changed. Returns true when it is to be looked at now, and begins a pause then.
    package mutating func admits(_ path: String, at now: MonotonicInstant) -> Bool {
        if let pause = pauses[path], pause.end > now || pause.hasChanged {
            if !pause.hasChanged { changes += 1 }
            pauses[path] = (pause.end, true)
            return false
        }
        let end = now.advanced(byMilliseconds: Self.milliseconds)
        pauses[path] = (end, false)
        firstEnd = firstEnd ?? end
        return true
    }

    /// Makes the file due at the end of its pause, or of one that begins now. Called for a file that somebody is writing.
    package mutating func repeatLook(_ path: String, at now: MonotonicInstant) {
        // When the first call begins a pause, the second is a change within it.
        if admits(path, at: now) { _ = admits(path, at: now) }
    }

    /// Ends the pauses that are over. Returns the files that have changed within them.
    package mutating func due(at now: MonotonicInstant) -> [String] {
        guard let first = firstEnd, first <= now else { return [] }
        let changed = pauses.filter { $0.value.end <= now && $0.value.hasChanged }.keys.sorted()
        pauses = pauses.filter { $0.value.end > now }
        changes -= changed.count
        firstEnd = pauses.values.lazy.map(\.end).min()
        return changed
    }

    /// The time at which ``due(at:)`` may return something. Nil when nothing has changed within a pause.
    package var wakeAt: MonotonicInstant? { changes > 0 ? firstEnd : nil }
}
