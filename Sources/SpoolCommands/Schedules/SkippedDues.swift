import Store

/// The last due time of each task that became no run, from the journal of the last days.
struct SkippedDues {
    struct Skip {
        var due: Instant
        /// `skipped` because an earlier run had not ended, the task was paused or could not be used; `missed` while no daemon was running.
        var word: String
    }

    private static let lookBackMilliseconds: Int64 = 8 * 86_400_000

    private var skips: [String: Skip] = [:]

    init(_ session: Session, _ fs: DiskFileSystem) throws(Failure) {
        let since = session.now.advanced(byMilliseconds: -Self.lookBackMilliseconds)
        let found = try attempt { () throws(SystemError) in
            var reader = Reader(since: since, ReadingContext(now: session.now, zones: session.zones, zone: .utc))
            // fsck and why report damage in the journal.
            _ = try Journal<DiskFileSystem>.scan(fs, since: since, into: &reader)
            return reader
        }
        skips = found.skips
    }

    func last(of task: String) -> Skip? { skips[task] }

    private struct Reader: JournalReader {
        let since: Instant
        let context: ReadingContext
        var skips: [String: Skip] = [:]

        init(since: Instant, _ context: ReadingContext) {
            self.since = since
            self.context = context
        }

        var verifiesOnlyWanted: Bool { true }

        func wants(_ line: JournalGlance) -> Bool { line.kind == "skipped" }

        mutating func take(_ fields: JournalFields) {
            // A due time that a later run covers was not left out.
            guard fields.at >= since, case .skipped(let due)? = fields.record(context), due.reason != .merged else { return }
            if let known = skips[due.task], known.due > due.through { return }
            skips[due.task] = Skip(due: due.through, word: due.reason == .missed ? "missed" : "skipped")
        }
    }
}
