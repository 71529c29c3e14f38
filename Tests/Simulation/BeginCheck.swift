import Daemon
import Store

/// The rules that must hold when the command of a job begins.
struct BeginCheck {
    private let world: SimulatedWorld
    private let people: People
    private let job: Job

    init(_ world: SimulatedWorld, _ people: People, _ job: Job) {
        self.world = world
        self.people = people
        self.job = job
    }

    func perform() throws(Violation) {
        // Elsewhere a job may begin while the tree here is as a power cut has left it.
        if job.executor == nil || world.isUp { try itRunsWhatWasRead() }
        if job.definition.onCrash == .fail, job.attempt > job.definition.tries {
            throw Violation("\(job.id) begins try \(job.attempt) of \(job.definition.tries), and on_crash is fail")
        }
        for other in world.running { try mayRun(beside: other) }
        try whatItWaitsForHasEnded()
        if job.executor != nil, let scheduler = world.service?.scheduler, scheduler.jobs[job.id]?.state != .running {
            throw Violation("\(job.id) begins elsewhere after it has ended here")
        }
        if job.attempt == 1 { try itsKeyIsItsOwn() }
        if let scheduler = world.service?.scheduler {
            try HoldCheck(scheduler: scheduler, configuration: world.configuration, now: world.now).isFree(job)
        }
    }

    private func itRunsWhatWasRead() throws(Violation) {
        let directory = Layout.directory(of: job.id, .running)
        for name in Source.fileNames {
            guard let bytes = world.disk.bytes("\(directory)/\(name)") else { continue }
            // A job with a task runs more than its file contains.
            if bytes == job.source.bytes || job.task != nil && (job.file != nil || job.isDirectory) { return }
            // The file was not synced, and the kernel failed to write it.
            let mayBeGone = Set(people.drops.lazy.filter(\.mayBeGone).map(\.number))
            if people.marks(in: job.source.bytes).contains(where: mayBeGone.contains) {
                return
            }
            throw Violation(
                "\(job.id) begins with \(String(decoding: bytes, as: UTF8.self)), not \(String(decoding: job.source.bytes, as: UTF8.self))")
        }
        throw Violation("\(job.id) begins and has no file in running/")
    }

    private func mayRun(beside other: Job) throws(Violation) {
        guard other.id != job.id else { throw Violation("\(job.id) begins try \(job.attempt) while try \(other.attempt) runs") }
        if let lock = job.definition.locks.first(where: other.definition.locks.contains) {
            throw Violation("\(job.id) begins while \(other.id) holds the lock \(lock)")
        }
        if let key = job.definition.unique?.key, other.definition.unique?.key == key {
            throw Violation("\(job.id) begins while \(other.id) runs with its key \(key)")
        }
        if let task = job.task, other.task == task, job.definition.overlap != .allow, other.definition.overlap != .allow {
            throw Violation("\(job.id) begins while \(other.id) of the same task runs")
        }
    }

    private func whatItWaitsForHasEnded() throws(Violation) {
        guard let after = job.definition.after else { return }
        var ids = after.all.compactMap { JobID($0) }
        // The jobs that a task's name stood for.
        let facts = try JournalFacts(world.disk, taken: world.takenSegments)
        for version in facts.accepted[job.id] ?? [] where version.source == job.source { ids += version.waitsFor }
        for id in ids where !people.movedAway.contains(id.text) {
            // A retry replaces the job that it repeats.
            if facts.retries.family(of: id).prefix(while: { $0 != id }).contains(where: { facts.states[$0].map(after.isMet) ?? false }) {
                continue
            }
            if world.running.contains(where: { $0.id == id }) { throw Violation("\(job.id) begins while \(id) runs, which it waits for") }
            // The disk may refuse for a while to move an ended job.
            for state in [JobState.new, .running] where facts.ends[id] == nil && world.disk.exists(Layout.directory(of: id, state)) {
                throw Violation("\(job.id) begins while \(id) is in \(state), which it waits for")
            }
            for state in [JobState.done, .failed] where !after.isMet(by: state) && world.disk.exists(Layout.directory(of: id, state)) {
                throw Violation("\(job.id) begins after the \(after.when) of \(id), which is in \(state)")
            }
        }
    }

    private func itsKeyIsItsOwn() throws(Violation) {
        guard let key = job.definition.unique?.key else { return }
        for (id, other) in world.keys where other == key && id != job.id && id.text != job.retryOf {
            // A job whose directory somebody takes away frees its key. A power cut may bring the directory back.
            if people.movedAway.contains(id.text) || people.carriedOff.contains(id.text) { continue }
            for state in [JobState.done, .failed] where world.disk.exists(Layout.directory(of: id, state)) {
                // A power cut has brought back a record that was removed.
                if try Check(world, people).mayBeForgotten(id) { continue }
                throw Violation("\(job.id) begins with the key \(key), which \(id) in \(state) has")
            }
        }
    }
}
