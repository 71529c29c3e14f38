/// The numbers of events in the spool so far, which only grow. A part of the recorded state: only `Scheduler.apply` changes it, for one
/// record at a time, and a new segment of the journal begins with it. So the numbers survive each end of the daemon.
///
/// Invariants:
/// - No number ever falls, since a program that watches it would take that for a new count.
/// - A first try counts as one start, and each further try as one retry. A try that the machine did not let begin is decided again: the
///   count already has the next try of the same kind.
/// - A due time counts once, when it becomes a job, or a record that says why not.
public struct Tally: Sendable, Equatable {
    /// The outcome of a due time.
    public enum DueOutcome: String, Sendable, CaseIterable {
        /// A job, within a minute.
        case ran
        /// A job, more than a minute later.
        case late
        /// No job, because that of a later due time counts for it.
        case merged
        /// No job, because an earlier run had not ended, or because the task was paused.
        case skipped
        /// No job, because nothing makes up for it, or because the task could not be used.
        case lost
    }

    /// The results of jobs: `done`, or the reason of a failure.
    public static let results = [JobState.done.rawValue] + FailureReason.allCases.map(\.rawValue)
    /// Due times that are too many to count, in one record, count as these many.
    public static let manyDues = 10_000

    public internal(set) var started: Int64 = 0
    public internal(set) var retries: Int64 = 0
    /// The number of starts, and of retries, that were counted for tries that did not begin.
    public internal(set) var startsAhead: Int64 = 0
    public internal(set) var retriesAhead: Int64 = 0
    /// In the order of ``results``.
    public internal(set) var ended = [Int64](repeating: 0, count: Tally.results.count)
    /// In the order of ``DueOutcome``.
    public internal(set) var dues = [Int64](repeating: 0, count: DueOutcome.allCases.count)
    public internal(set) var processorMilliseconds: Int64 = 0
    /// The time that each ended try has run, as its worker has measured it.
    public var durations = Histogram(Tally.durationBounds)
    /// The time from the instant at which each job was to start, to its first try.
    public var startDelays = Histogram(Tally.startDelayBounds)

    /// The upper bounds of the histograms, in milliseconds.
    public static let durationBounds: [Int64] = [100, 1000, 10_000, 60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000]
    public static let startDelayBounds: [Int64] = [100, 500, 1000, 5000, 15_000, 60_000, 300_000, 900_000, 3_600_000, 21_600_000]

    public init() {}

    // MARK: Counting

    /// A try is to begin.
    mutating func start(attempt: Int, delayMilliseconds: Int64) {
        if attempt > 1 {
            if retriesAhead > 0 { retriesAhead -= 1 } else { retries += 1 }
        } else if startsAhead > 0 {
            startsAhead -= 1
        } else {
            started += 1
            startDelays.add(delayMilliseconds)
        }
    }

    /// A try that was to begin has not begun.
    mutating func takeBack(attempt: Int) { if attempt > 1 { retriesAhead += 1 } else { startsAhead += 1 } }

    /// A try has ended that had begun.
    mutating func use(_ usage: Usage) {
        processorMilliseconds = Self.sum(processorMilliseconds, Self.sum(usage.userMilliseconds, usage.systemMilliseconds))
        durations.add(usage.wallMilliseconds)
    }

    /// A job has ended.
    mutating func end(_ state: JobState, _ reason: FailureReason?) {
        guard let index = Self.results.firstIndex(of: state == .done ? state.rawValue : reason?.rawValue ?? "") else { return }
        ended[index] += 1
    }

    mutating func count(_ outcome: DueOutcome, _ count: Int = 1) {
        guard let index = DueOutcome.allCases.firstIndex(of: outcome) else { return }
        dues[index] = Self.sum(dues[index], Int64(count))
    }

    mutating func count(_ skipped: SkippedDue) {
        let outcome: DueOutcome = switch skipped.reason {
        case .overlap, .paused: .skipped
        case .merged: .merged
        case .missed, .unusable: .lost
        }
        count(outcome, skipped.count ?? Self.manyDues)
    }

    /// A sum of two numbers that are not negative, or the largest number that a journal keeps.
    static func sum(_ a: Int64, _ b: Int64) -> Int64 {
        let (sum, isHuge) = a.addingReportingOverflow(b)
        return isHuge ? max : min(sum, max)
    }

    /// The largest number that a journal keeps.
    public static let max: Int64 = 1 << 62
}

extension Tally {
    /// How many values lie up to each bound, and their sum.
    public struct Histogram: Sendable, Equatable {
        public let bounds: [Int64]
        /// The number of values between a bound and the one before, and at last of those beyond all bounds.
        public internal(set) var counts: [Int64]
        public internal(set) var sum: Int64 = 0

        init(_ bounds: [Int64]) {
            self.bounds = bounds
            counts = [Int64](repeating: 0, count: bounds.count + 1)
        }

        mutating func add(_ value: Int64) {
            let value = Swift.max(0, value)
            counts[bounds.firstIndex { value <= $0 } ?? bounds.count] += 1
            sum = Tally.sum(sum, value)
        }

        /// Takes numbers that a journal has kept, unless they are of other bounds.
        public mutating func take(_ counts: [Int64], sum: Int64) {
            guard counts.count == self.counts.count else { return }
            (self.counts, self.sum) = (counts, sum)
        }
    }

    /// The numbers as a journal has kept them.
    public init(
        started: Int64, retries: Int64, startsAhead: Int64, retriesAhead: Int64, ended: [String: Int64], dues: [String: Int64],
        processorMilliseconds: Int64
    ) {
        (self.started, self.retries) = (started, retries)
        (self.startsAhead, self.retriesAhead) = (startsAhead, retriesAhead)
        self.ended = Self.results.map { ended[$0] ?? 0 }
        self.dues = DueOutcome.allCases.map { dues[$0.rawValue] ?? 0 }
        self.processorMilliseconds = processorMilliseconds
    }
}
