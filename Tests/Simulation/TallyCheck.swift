import Store

/// The numbers of all that was done are those that the journal's text tells, whatever has ended the daemon.
///
/// The text of each segment is counted anew from its records, by rules that are simpler than the scheduler's: which jobs wait, and which
/// run. A segment begins with the numbers of all segments before, which must be those that these have told.
struct TallyCheck {
    struct Numbers: Equatable, CustomStringConvertible {
        var tries = ["start": 0, "retry": 0]
        var triesAhead = ["start": 0, "retry": 0]
        var ends: [String: Int] = [:]
        var dues: [String: Int] = [:]
        var delays = 0
        var durations = 0
        var processorMilliseconds = 0

        init() {}

        init(_ tally: Tally) {
            tries = ["start": Int(tally.started), "retry": Int(tally.retries)]
            triesAhead = ["start": Int(tally.startsAhead), "retry": Int(tally.retriesAhead)]
            for (result, count) in zip(Tally.results, tally.ended) where count > 0 { ends[result] = Int(count) }
            for (outcome, count) in zip(Tally.DueOutcome.allCases, tally.dues) where count > 0 { dues[outcome.rawValue] = Int(count) }
            delays = Int(tally.startDelays.counts.reduce(0, +))
            durations = Int(tally.durations.counts.reduce(0, +))
            processorMilliseconds = Int(tally.processorMilliseconds)
        }

        var description: String {
            func list(_ counts: [String: Int]) -> String { counts.sorted { $0.key < $1.key }.map { "\($0) \($1)" }.joined(separator: ", ") }
            return "tries \(list(tries)), ahead \(list(triesAhead)), ends \(list(ends)), due times \(list(dues)), \(delays) delays, "
                + "\(durations) durations, \(processorMilliseconds) ms"
        }
    }

    private var numbers = Numbers()
    private var waiting: Set<JobID> = []
    private var running: [JobID: Int] = [:]
    /// The numbers of the segments before this one. Nil when one of them is not there any more.
    private var before: Numbers?
    private var isFirst = true

    /// - Parameter hasAll: nobody has taken a segment away.
    static func perform(_ disk: SimulatedDisk, _ tally: Tally, hasAll: Bool) throws(Violation) {
        var check = TallyCheck()
        var violation: Violation?
        let zones = ZoneDatabase(directories: [])
        do {
            try disk.undisturbed {
                let segments = try Journal<SimulatedDisk>.segments(disk)
                for segment in segments {
                    check.begin(hasAll: hasAll)
                    do {
                        _ = try Journal<SimulatedDisk>.read(disk, segment: segment) { fields in
                            guard let record = fields.record(ReadingContext(now: fields.at, zones: zones)) else { return }
                            do throws(Violation) { try check.take(record, in: segment) } catch { violation = violation ?? error }
                        }
                    } catch {
                        // Only the newest segment must be whole. A power cut may have emptied one that was no longer the newest.
                        guard segment != segments.last else { throw error }
                        check.isFirst = true
                    }
                }
            }
        } catch {
            throw Violation("the journal cannot be read: \(error)")
        }
        if let violation { throw violation }
        guard check.numbers == Numbers(tally) else {
            throw Violation("the journal tells \(check.numbers), and the daemon counts \(Numbers(tally))")
        }
    }

    private mutating func begin(hasAll: Bool) {
        before = isFirst || !hasAll ? nil : numbers
        isFirst = false
        numbers = Numbers()
        (waiting, running) = ([], [:])
    }

    private mutating func take(_ record: Record, in segment: String) throws(Violation) {
        switch record {
        case .counted(let tally):
            numbers = Numbers(tally)
            if let before, before != numbers { throw Violation("\(segment) begins with \(numbers), after \(before)") }
        case .accepted(let job):
            guard running[job.id] == nil, waiting.insert(job.id).inserted else { return }
            guard job.schedule != nil, job.file == nil, !job.isDirectory else { return }
            numbers.dues[job.createdAt.milliseconds - job.due.milliseconds > 60_000 ? "late" : "ran", default: 0] += 1
        case .skipped(let skipped):
            let outcome = ["overlap": "skipped", "paused": "skipped", "merged": "merged"][skipped.reason.rawValue] ?? "lost"
            numbers.dues[outcome, default: 0] += skipped.count ?? 10_000
        case .started(let id, let attempt):
            guard waiting.remove(id) != nil else { return }
            running[id] = attempt
            let kind = attempt == 1 ? "start" : "retry"
            if numbers.triesAhead[kind, default: 0] > 0 {
                numbers.triesAhead[kind, default: 0] -= 1
            } else {
                numbers.tries[kind, default: 0] += 1
                if attempt == 1 { numbers.delays += 1 }
            }
        case .ended(let id, let ending):
            if let attempt = running.removeValue(forKey: id) {
                if ending.attempt < attempt {
                    numbers.triesAhead[attempt == 1 ? "start" : "retry", default: 0] += 1
                } else if let usage = ending.usage {
                    numbers.durations += 1
                    numbers.processorMilliseconds += Int(usage.userMilliseconds + usage.systemMilliseconds)
                }
            } else if waiting.remove(id) == nil {
                return
            }
            if ending.state == .new {
                waiting.insert(id)
            } else {
                countEnd(ending.state == .done ? "done" : ending.reason?.rawValue ?? "?")
            }
        case .rejected(let file):
            guard running[file.id] == nil else { return }
            waiting.remove(file.id)
            countEnd("rejected")
        case .withdrawn(let id): waiting.remove(id)
        default: break
        }
    }

    private mutating func countEnd(_ result: String) { numbers.ends[result, default: 0] += 1 }
}
