/// A queue and an executor: all waiting jobs of a lane need the same slots. A full lane delays no other one.
struct Lane: Hashable {
    let queue: String
    let executor: String?

    init(_ job: Job) {
        queue = job.definition.queue
        executor = job.executor
    }
}

/// Jobs that wait for something other than time or a slot.
struct HeldJobs {
    private var lines: [Lane: Lineup<ReadyQueues.Entry>] = [:]

    var isEmpty: Bool { lines.isEmpty }

    mutating func hold(_ job: Job) { lines[Lane(job), default: Lineup()].insert(ReadyQueues.Entry(job)) }

    /// Removes the best job of each lane, since any may be full.
    mutating func releaseBest() -> [Job] {
        var released: [Job] = []
        for lane in Array(lines.keys) {
            if let entry = lines[lane]?.removeFirst() { released.append(entry.job) }
            if lines[lane]?.first() == nil { lines[lane] = nil }
        }
        return released
    }
}

/// The jobs that could start now, by queue, and the numbers of each queue: of running jobs that need a slot, and of all waiting jobs.
struct ReadyQueues {
    /// Jobs that need no slot first, then higher priority, then earlier start, then earlier arrival.
    struct Entry: LineupEntry {
        let job: Job
        private let priority: Int
        private let start: Instant
        private let attempt: Int

        init(_ job: Job) {
            self.job = job
            priority = job.definition.priority
            start = job.scheduledAt
            attempt = job.attempt
        }

        var isValid: Bool { job.state == .new && !job.isDead && job.attempt == attempt }

        static func < (a: Self, b: Self) -> Bool {
            if a.job.needsNoSlot != b.job.needsNoSlot { return a.job.needsNoSlot }
            if a.priority != b.priority { return a.priority > b.priority }
            if a.start != b.start { return a.start < b.start }
            return a.job.arrival < b.job.arrival
        }

        static func == (a: Self, b: Self) -> Bool { a.job === b.job }
    }

    /// A class, so that iterating over the queues never copies one.
    private final class Line {
        var entries = Lineup<Entry>()
    }

    private var waiting: [Lane: Line] = [:]
    private(set) var running: [String: Int] = [:]
    /// The jobs that wait for anything.
    private(set) var waitingCounts: [String: Int] = [:]

    var isEmpty: Bool { waiting.isEmpty }

    mutating func push(_ job: Job) {
        let lane = Lane(job)
        let line = waiting[lane] ?? Line()
        line.entries.insert(Entry(job))
        waiting[lane] = line
    }

    /// Removes the best job of the lanes that `isOpen` allows. `isOpen` gets the name of each lane's queue, the queue's number of running
    /// jobs, and the lane's best job.
    mutating func popBest(where isOpen: (String, Int, Job) -> Bool) -> Job? {
        var best: Entry?
        var bestLine: Line?
        for (lane, line) in waiting {
            guard let top = line.entries.first(), isOpen(lane.queue, running[lane.queue] ?? 0, top.job) else { continue }
            if best == nil || top < best! {
                best = top
                bestLine = line
            }
        }
        guard let best, let bestLine else { return nil }
        _ = bestLine.entries.removeFirst()
        if bestLine.entries.first() == nil { waiting[Lane(best.job)] = nil }
        return best.job
    }

    mutating func began(_ queue: String) { running[queue, default: 0] += 1 }

    mutating func ended(_ queue: String) { Self.takeOne(of: queue, from: &running) }

    /// A job waits.
    mutating func joined(_ queue: String) { waitingCounts[queue, default: 0] += 1 }

    /// A job does not wait any more.
    mutating func left(_ queue: String) { Self.takeOne(of: queue, from: &waitingCounts) }

    private static func takeOne(of queue: String, from counts: inout [String: Int]) {
        let count = counts[queue, default: 0] - 1
        precondition(count >= 0)
        counts[queue] = count == 0 ? nil : count
    }
}
