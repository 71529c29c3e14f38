import Linux
import Store

extension Session {
    /// An instant in a sentence: the viewer's clock on a terminal, UTC in a pipe.
    func spoken(_ instant: Instant) -> String {
        output.isTerminal
            ? "\(TimeText.wall(instant, viewerZone)) (\(TimeText.distance(instant, from: now)))" : TimeText.local(instant, .utc, asZulu: true)
    }

    /// `from A to B`, `since A`.
    func span(_ from: Instant, _ to: Instant?) -> String {
        to.map { "from \(spoken(from)) to \(spoken($0))" } ?? "since \(spoken(from))"
    }

    /// Why there was no daemon for a time: a subject and its predicate.
    func text(_ down: Downtime) -> String {
        if down.from.milliseconds == 0 { return "spoold has never run on this spool" }
        let from = spoken(down.from) + (down.wasStopped ? "" : " (its last sign)")
        return down.to.map { "spoold was not running from \(from) to \(spoken($0))" } ?? "spoold is not running since \(from)"
    }

    func text(_ scope: PauseScope, note: String) -> String {
        scope.spoken() + (note.isEmpty ? "" : " (\(note))")
    }

    /// Some of many ids, in a sentence.
    static func list(_ ids: [String]) -> String {
        ids.prefix(3).joined(separator: ", ") + (ids.count > 3 ? " and \(ids.count - 3) more" : "")
    }

}
