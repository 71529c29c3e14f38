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

    /// The directory of the jobs' groups, with its controllers. Nil until a group is requested.
    private var prepared: (tree: CgroupTree, controllers: Set<String>)?
    /// Groups of ended jobs in which a process still runs, by the watch on the group.
    private var left: [Int32: String] = [:]
    /// Made when the first group is left with a process in it.
    private var watcher: InotifyInstance?
    private let loop: EventLoop
    private let log: Log

    init(_ loop: EventLoop, _ log: Log) {
        self.loop = loop
        self.log = log
    }

    /// Makes the group of a job with its limits, which the job's command is to enter. Nil when the job needs none, or can do without.
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

    /// Sets the limits of an earlier daemon's job anew: the service manager may have needed them lifted to start this daemon.
    func restore(_ job: Job, at now: Instant) {
        guard let limits = job.definition.cgroupLimits else { return }
        do throws(RunNotPrepared) {
            guard let tree = try CgroupTree.find(), CgroupTree.exists("\(tree.jobs)/\(job.id.text)") else { return }
            try set(limits, of: "\(try prepare().tree.jobs)/\(job.id.text)")
        } catch {
            log.write(.warning, "limits-not-set", at: now, ["id": job.id.text, "error": error.why, "effect": "it goes on without"])
        }
    }

    /// A job has ended, or was not started. Removes its group, at once or with the last process that the job left running. Returns what the
    /// kernel did to the job for its limits.
    func leave(_ job: Job) -> String? {
        guard let limits = job.definition.cgroupLimits, let tree = current else { return nil }
        let directory = "\(tree.jobs)/\(job.id.text)"
        let events = (try? CgroupTree.read("\(directory)/memory.events")) ?? ""  // no group, or none with that controller
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

    /// The last process of some group may have ended.
    private func takeEvents() throws(SystemError) {
        guard let watcher else { return }
        var events: [InotifyEvent] = []
        let isIncomplete = try watcher.inotify.readEvents(into: &events)
        for watch in isIncomplete ? Array(left.keys) : Set(events.map(\.watch)).sorted() {
            guard let directory = left[watch], Self.isRemoved(directory) else { continue }
            left[watch] = nil
        }
    }

    /// For the service manager, when the daemon has ended: lets systemd put a process into the service's own group again.
    /// See ``CgroupTree/disable()``.
    static func release() throws(RunNotPrepared) { try CgroupTree.find()?.disable() }

    // MARK: Making and removing

    private var current: CgroupTree? {
        if let prepared { return prepared.tree }
        return (try? CgroupTree.find()) ?? nil  // cannot be found, so this daemon has made none
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
        // A group that cannot be watched is removed when the daemon starts the next time.
        guard let watch = try? watch("\(directory)/cgroup.events") else { return }  // cannot be watched
        left[watch] = directory
        // The last process may have ended before the watch was there.
        if Self.isRemoved(directory) { left[watch] = nil }
    }

    private func watch(_ file: String) throws(SystemError) -> Int32 {
        if let watcher { return try watcher.inotify.add(file, .modified) }
        let new = try InotifyInstance()
        _ = try loop.add(new.inotify.descriptor.raw) { [unowned self] () throws(SystemError) in try takeEvents() }
        watcher = new
        return try new.inotify.add(file, .modified)
    }

    /// False while a process in it runs.
    private static func isRemoved(_ directory: String) -> Bool {
        // The job may have made groups in it.
        for name in CgroupTree.groups(in: directory) { _ = isRemoved("\(directory)/\(name)") }
        return rmdir(directory) == 0 || errno == ENOENT
    }
}
