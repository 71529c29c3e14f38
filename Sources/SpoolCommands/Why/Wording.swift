import Store

/// Writes instants, spans, pauses and jobs within a sentence.
struct Wording {
    let now: Instant
    /// The zone of the person who reads.
    let zone: Zone
    /// On a terminal instants are written by the reader's clock and with their distance; in a pipe in UTC.
    let isForTerminal: Bool

    func instant(_ instant: Instant) -> String {
        guard isForTerminal else { return TimeText.local(instant, .utc, asZulu: true) }
        return "\(TimeText.spoken(instant, zone, now: now)) (\(TimeText.distance(instant, from: now)))"
    }

    /// `from A to B`, or `since A`.
    func span(_ from: Instant, _ to: Instant?) -> String {
        to.map { "from \(instant(from)) to \(instant($0))" } ?? "since \(instant(from))"
    }

    /// When there was no daemon: a subject and its predicate.
    func downtime(_ down: Downtime) -> String {
        if down.from.milliseconds == 0 { return "spoold has never run on this spool" }
        let from = instant(down.from) + (down.wasStopped ? "" : " (its last sign of life)")
        return down.to.map { "spoold was not running from \(from) to \(instant($0))" } ?? "spoold has not been running since \(from)"
    }

    /// The jobs that a pause holds, with the pause's note.
    func pause(_ scope: PauseScope, note: String) -> String {
        scope.spoken() + (note.isEmpty ? "" : " (\(note))")
    }

    /// The first three of many ids, and how many more there are.
    static func list(_ ids: [String]) -> String {
        ids.prefix(3).joined(separator: ", ") + (ids.count > 3 ? " and \(ids.count - 3) more" : "")
    }
}

extension Session {
    var wording: Wording { Wording(now: now, zone: callerZone, isForTerminal: output.isTerminal) }
}
