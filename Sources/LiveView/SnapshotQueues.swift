// The queues of a snapshot, and what is late in them. A queue belongs to one part of a spool that serves everybody: root's queue disk and
// alice's are two queues, each with the slots and pauses of its part.

import Store

extension JobStatus {
    /// The time since when a waiting job could run, were it alone.
    public var waitsSince: Instant { max(createdAt, notBefore ?? due) }
}

extension Snapshot {
    public struct Queue: Sendable {
        /// Nil for a queue of root's part, or of a spool of one user.
        public let owner: String?
        public let name: String
        public fileprivate(set) var running = 0
        public fileprivate(set) var waiting = 0
        /// The time since when the job that has waited longest could start.
        public fileprivate(set) var oldest: Instant?
        /// Nil when the queue has no slots of its own.
        public let slots: Int?
        /// The pause that holds the queue, with its note.
        public let pause: (scope: PauseScope, note: String)?

        /// The name in root's notation.
        public var title: String { owner.map { UserPart.qualified(name, of: $0) } ?? name }
    }

    /// The queue of a job in root's notation.
    public static func queue(of job: JobStatus) -> String {
        UserPart.split(job.id).owner.map { UserPart.qualified(job.queue, of: $0) } ?? job.queue
    }

    /// The tasks with due times that came more than a minute ago and whose runs still wait for their first try, sorted by name: each with
    /// the oldest of these runs and their number.
    public var late: [(task: String, oldest: Waiting, count: Int)] {
        var tasks: [String: (oldest: Waiting, count: Int)] = [:]
        for one in waiting where one.status.schedule != nil && one.status.attempt == 0 {
            let since = one.status.notBefore ?? one.status.due
            guard let task = one.status.task, now.milliseconds - since.milliseconds > Self.lateMilliseconds else { continue }
            guard let known = tasks[task] else {
                tasks[task] = (one, 1)
                continue
            }
            let isOlder = (one.status.due, one.status.id) < (known.oldest.status.due, known.oldest.status.id)
            tasks[task] = (isOlder ? one : known.oldest, known.count + 1)
        }
        return tasks.sorted { $0.key < $1.key }.map { ($0.key, $0.value.oldest, $0.value.count) }
    }

    private static let lateMilliseconds: Int64 = 60_000

    /// The queues of the own part, then those of each user: the queue default, those that are configured, those that have jobs, and those
    /// that are paused.
    public var queues: [Queue] {
        var jobs: [String?: (running: [JobStatus], waiting: [JobStatus])] = [nil: ([], [])]
        for one in running { jobs[UserPart.split(one.status.id).owner, default: ([], [])].running.append(one.status) }
        for one in waiting { jobs[UserPart.split(one.status.id).owner, default: ([], [])].waiting.append(one.status) }
        for owner in parts.keys where jobs[owner] == nil { jobs[owner] = ([], []) }
        return jobs.sorted { ($0.key ?? "") < ($1.key ?? "") }.flatMap { owner, jobs in
            queues(of: owner, owner.map { parts[$0]?.surroundings ?? WaitingSurroundings() } ?? surroundings, jobs.running, jobs.waiting)
        }
    }

    private func queues(
        of owner: String?, _ surroundings: WaitingSurroundings, _ running: [JobStatus], _ waiting: [JobStatus]
    ) -> [Queue] {
        let paused = surroundings.pauses.compactMap { if case .queue(let name) = $0.scope { name } else { nil } }
        let names = Set(["default"] + paused + surroundings.queueSlots.keys + (running + waiting).map(\.queue))
        return names.sorted().map { name in
            let pause = surroundings.pauses.first { $0.scope == .all || $0.scope == .queue(name) }
            var queue = Queue(
                owner: owner, name: name, slots: surroundings.queueSlots[name], pause: pause.map { ($0.scope, $0.note) })
            // Runs that executors have use no slot of this machine, but the queue counts them.
            queue.running = running.count { $0.queue == name }
            for job in waiting where job.queue == name {
                queue.waiting += 1
                if job.waitsSince <= now { queue.oldest = min(queue.oldest ?? job.waitsSince, job.waitsSince) }
            }
            return queue
        }
    }
}
