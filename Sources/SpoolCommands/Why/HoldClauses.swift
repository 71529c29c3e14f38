import Store

/// Says why a job waits.
struct HoldClauses {
    let status: JobStatus
    let wording: Wording
    /// The jobs that hold it back, as the reader knows them.
    var shown: (String) -> String = { $0 }

    /// All reasons in a sentence.
    func sentence(_ holds: [Hold]) -> String {
        holds.isEmpty ? "It is about to start." : "It waits: \(holds.map(text).joined(separator: "; "))."
    }

    /// One reason, as a part of a sentence.
    func text(_ hold: Hold) -> String {
        let note = Output.oneLine(hold.note ?? "")
        switch hold.kind {
        case .daemon:
            let since = hold.instant ?? wording.now
            return since.milliseconds == 0
                ? "no spoold has ever run on this spool" : "spoold is not running; it was last seen at \(wording.instant(since))"
        case .file: return "its file cannot be accepted: \(note)"
        case .start: return "it starts at \(wording.instant(hold.instant ?? wording.now))"
        case .retry:
            let instant = wording.instant(hold.instant ?? wording.now)
            return "try \(status.attempt + 1) of \(status.tries) starts at \(instant), after the last one \(status.error ?? "failed")"
        case .pause: return "\(wording.pause(hold.scope ?? .all, note: note)) is paused"
        case .overlap:
            return "a run of its task has not ended yet: \(Wording.list(hold.jobs.map(shown)))"
        case .after: return "it starts after \(Wording.list(hold.jobs.map(shown)))"
        case .lock: return "\(Wording.list(hold.jobs.map(shown))) holds lock \(note)"
        case .gate: return note
        case .queue:
            return "queue \(status.queue) is full: \(slots(hold)) taken by \(Wording.list(hold.jobs.map(shown)))"
        case .executor:
            return "executor \(note) has as many jobs as it may have: \(slots(hold)) taken by \(Wording.list(hold.jobs.map(shown)))"
        case .slots:
            let who = [hold.jobs.isEmpty ? nil : Wording.list(hold.jobs.map(shown)), note.isEmpty ? nil : note].compactMap { $0 }
            return "\(slots(hold, all: true)) taken, by \(who.joined(separator: " and by "))"
        }
    }

    private func slots(_ hold: Hold, all: Bool = false) -> String {
        let count = hold.slots ?? 0
        if count == 1 { return all ? "the only slot is" : "its only slot is" }
        return all ? "all \(count) slots are" : "its \(count) slots are"
    }
}
