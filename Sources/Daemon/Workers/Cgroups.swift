import Glibc
import Linux
import Model
import Scheduler

/// The cgroups of jobs with `limits.memory`, `cpu_percent` or `tasks`. Each is made with its limits before the job starts, and removed when
/// the last process in it has ended.
final class Cgroups {
    private enum Controller: String, CaseIterable { case memory, cpu, pids }

    private struct Setting {
        var key: String
        var controller: Controller
        var file: String
        var value: String
    }

    /// The tree in which the groups of jobs are made, with its enabled controllers. Nil until the first job needs a group.
    private var prepared: (tree: CgroupTree, controllers: Set<String>)?
    /// Directories of groups whose job has ended and in which a process still runs, by the watch on the group.
    private var left: [Int32: String] = [:]
    /// Made when the first group is left with a process in it.
    private var watcher: InotifyInstance?
    private let loop: EventLoop
    private let log: Log

    init(_ loop: EventLoop, _ log: Log) {
        self.loop = loop
        self.log = log
    }

    /// Makes the group of a job and sets its limits. The worker puts the job's command into the group. Returns nil when the job has no such
    /// limits, and when the group cannot be made and the job has `limits.required = false`.
    func make(for job: Job) throws(RunNotPrepared) -> String? {
        guard let limits = job.definition.cgroupLimits else { return nil }
        do throws(RunNotPrepared) {
            let directory = "\(try prepare().tree.jobs)/\(job.id.text)"
            try CgroupTree.makeDirectory(directory)
            try set(limits, of: directory)
            return directory
        } catch {
            if limits.isRequired { throw error }
            return nil
        }
    }

    /// Sets the limits of a job that an earlier daemon started. They may have been lifted when that daemon ended, so that systemd could
    /// start this one; see ``CgroupTree/disable()``.
    func restore(_ job: Job, at now: Instant) {
        guard let limits = job.definition.cgroupLimits else { return }
        do throws(RunNotPrepared) {
            guard let tree = try CgroupTree.find(), CgroupTree.exists("\(tree.jobs)/\(job.id.text)") else { return }
            try set(limits, of: "\(try prepare().tree.jobs)/\(job.id.text)")
        } catch {
            log.write(.warning, "limits-not-set", at: now, ["id": job.id.text, "error": error.why, "effect": "it runs on without them"])
        }
    }

    /// Removes the group of a job that has ended or could not be started: at once, or when the last process that the job left running ends.
    /// Returns a sentence when the kernel killed processes of the job for its memory limit.
    func leave(_ job: Job) -> String? {
        guard let limits = job.definition.cgroupLimits, let tree = current else { return nil }
        let directory = "\(tree.jobs)/\(job.id.text)"
        let events = (try? CgroupTree.read("\(directory)/memory.events")) ?? ""  // no group, or no memory controller: nothing was killed
        let line = events.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }?.split(separator: " ").last
        remove(directory)
        guard let kills = line.flatMap({ Int($0) }), kills > 0 else { return nil }
        let bytes = limits.memoryBytes.map { ", \($0) bytes," } ?? ""
        let processes = kills == 1 ? "one of its processes" : "\(kills) of its processes"
        return "the kernel killed \(processes) for want of memory: limits.memory\(bytes) was reached"
    }

    /// Removes the groups of jobs that ended while no daemon served.
    func removeEnded(_ hasEnded: (String) -> Bool) {
        guard let tree = current else { return }
        for id in CgroupTree.groups(in: tree.jobs) where hasEnded(id) { remove("\(tree.jobs)/\(id)") }
    }

    /// Removes those groups whose last process has ended.
    private func takeEvents() throws(SystemError) {
        guard let watcher else { return }
        var events: [InotifyEvent] = []
        let isIncomplete = try watcher.inotify.readEvents(into: &events)
        for watch in isIncomplete ? Array(left.keys) : Set(events.map(\.watch)).sorted() {
            guard let directory = left[watch], Self.isRemoved(directory) else { continue }
            left[watch] = nil
        }
    }

    /// Run by the service manager when the daemon has ended; see ``CgroupTree/disable()``.
    static func release() throws(RunNotPrepared) { try CgroupTree.find()?.disable() }

    // MARK: Making and removing

    private var current: CgroupTree? {
        if let prepared { return prepared.tree }
        return (try? CgroupTree.find()) ?? nil  // not found: this daemon has made no groups
    }

    private func prepare() throws(RunNotPrepared) -> (tree: CgroupTree, controllers: Set<String>) {
        if let prepared { return prepared }
        guard let tree = try CgroupTree.find() else {
            throw RunNotPrepared(
                why: "limits: no cgroup v2 is mounted; limits.required = false runs the job without memory, cpu_percent and tasks")
        }
        let found = (tree, try tree.enable(Controller.allCases.map(\.rawValue)))
        prepared = found
        return found
    }

    private func set(_ limits: CgroupLimits, of directory: String) throws(RunNotPrepared) {
        let controllers = try prepare().controllers
        let settings = Self.settings(limits)
        if let lacking = settings.first(where: { !controllers.contains($0.controller.rawValue) }) {
            throw RunNotPrepared(
                why: """
                    limits.\(lacking.key): the \(lacking.controller) controller of cgroup v2 is not delegated to spoold; \
                    Delegate=yes in its unit does that, and limits.required = false runs the job without
                    """)
        }
        for one in settings { try CgroupTree.write(one.value, to: "\(directory)/\(one.file)") }
    }

    private static func settings(_ limits: CgroupLimits) -> [Setting] {
        let memory = limits.memoryBytes.map { Setting(key: "memory", controller: .memory, file: "memory.max", value: "\($0)") }
        // Microseconds of processor time in each period of 100,000.
        let processor = limits.processorPercent.map {
            Setting(key: "cpu_percent", controller: .cpu, file: "cpu.max", value: "\(Int($0 * 1000)) 100000")
        }
        let tasks = limits.tasks.map { Setting(key: "tasks", controller: .pids, file: "pids.max", value: "\($0)") }
        return [memory, processor, tasks].compactMap(\.self)
    }

    private func remove(_ directory: String) {
        if Self.isRemoved(directory) { return }
        guard let watch = try? watch("\(directory)/cgroup.events") else { return }  // not watched: the next daemon's start removes it
        left[watch] = directory
        // The last process may have ended before the watch was added.
        if Self.isRemoved(directory) { left[watch] = nil }
    }

    private func watch(_ file: String) throws(SystemError) -> Int32 {
        if let watcher { return try watcher.inotify.add(file, .modified) }
        let new = try InotifyInstance()
        _ = try loop.add(new.inotify.descriptor.raw) { [unowned self] () throws(SystemError) in try takeEvents() }
        watcher = new
        return try new.inotify.add(file, .modified)
    }

    /// Removes a group, and the groups inside it. Returns false while a process runs in one of them.
    private static func isRemoved(_ directory: String) -> Bool {
        for name in CgroupTree.groups(in: directory) { _ = isRemoved("\(directory)/\(name)") }
        return rmdir(directory) == 0 || errno == ENOENT
    }
}
