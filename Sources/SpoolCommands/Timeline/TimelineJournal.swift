import Store

/// The runs and the due times without a run that the journal records.
struct TimelineJournal: JournalReader {
    private let context: ReadingContext
    private(set) var runs: [Timeline.Run] = []
    private(set) var gaps: [(name: String, gap: Timeline.Gap)] = []
    /// The ids of jobs that started because another job ended.
    private(set) var followUps: Set<String> = []
    /// The beginning of the oldest segment that was read.
    private(set) var since: Instant?

    init(_ context: ReadingContext) { self.context = context }

    func wants(_ line: JournalGlance) -> Bool {
        switch line.kind {
        case "segment": since == nil
        case "ended", "skipped": true
        case "accepted": line.mentions(Self.parent)
        default: false
        }
    }

    private static let parent = Array(" parent=".utf8)

    mutating func take(_ fields: JournalFields) {
        switch fields.kind {
        case "segment": since = since ?? fields.at
        case "accepted": if let id = fields["id"], fields["parent"] != nil { followUps.insert(id) }
        default:
            switch fields.record(context) {
            case .ended(let id, let ending): take(id, ending, at: fields.at)
            case .skipped(let due):
                gaps.append((due.task, Timeline.Gap(from: due.from, through: due.through, count: due.count, why: due.reason.rawValue)))
            default: break
            }
        }
    }

    private mutating func take(_ id: JobID, _ ending: Ending, at instant: Instant) {
        guard let startedAt = ending.startedAt, ending.attempt > 0 else {
            if let reason = ending.reason {
                gaps.append(
                    (id.name, Timeline.Gap(from: instant, through: instant, count: 1, why: reason.rawValue, id: id.text)))
            }
            return
        }
        // The daemon may have recorded the end later. Nobody knows the end of a lost run.
        let measured = ending.usage.map { startedAt.advanced(byMilliseconds: $0.wallMilliseconds) }
        let end = ending.reason == .lost ? startedAt : measured ?? max(startedAt, instant)
        runs.append(
            Timeline.Run(
                id: id.text, attempt: ending.attempt, from: startedAt, to: end, state: ending.reason == nil ? .done : .failed,
                outcome: ending.brief))
    }
}
