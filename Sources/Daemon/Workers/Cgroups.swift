import Glibc
import Linux
import Model

/// A cgroup for each job that asks for one: made with its limits before the job starts, removed when the last process in it has ended.
final class Cgroups {
    private enum Controller: String, CaseIterable { case memory, cpu, pids }

    private struct Setting {
        var key: String
        var controller: Controller
        var file: String
        var value: String
    }

    /// Set when a group was first asked for: where jobs' groups are, with which controllers.
    private var prepared: (tree: CgroupTree, controllers: Set<String>)?
    /// Groups of ended jobs in which something still lives, by the watch on it.
    private var left: [Int32: String] = [:]
    /// Made when a group is left for the first time.
    private var watcher: Watcher?
    /// Has the loop call ``takeEvents()`` when this descriptor is readable.
    var listen: (Int32) throws(SystemError) -> Void = { _ in }

    /// Makes the group of a job with its limits. Nil when it cannot be had and need not.
    func make(for id: String, _ limits: CgroupLimits) throws(RunNotPrepared) -> String? {
        do throws(RunNotPrepared) {
            let directory = "\(try prepare().tree.jobs)/\(id)"
            try CgroupTree.makeDirectory(directory)
            try set(limits, of: directory)
            return directory
        } catch {
            if limits.isRequired { throw error }
            return nil
        }
    }

    /// Sets the limits of a job of an earlier daemon anew: the service manager may have needed them lifted to start this one.
    func restore(_ id: String, _ limits: CgroupLimits) throws(RunNotPrepared) {
        guard let tree = try CgroupTree.find(), CgroupTree.exists("\(tree.jobs)/\(id)") else { return }
        try set(limits, of: "\(try prepare().tree.jobs)/\(id)")
    }

    /// A job has ended, or was not started: its group goes, at once or with the last process that the job left running. Returns how many
    /// of its processes the kernel killed for want of memory.
    func leave(_ id: String) -> Int {
        guard let tree = current else { return 0 }
        let directory = "\(tree.jobs)/\(id)"
        let events = (try? CgroupTree.read("\(directory)/memory.events")) ?? ""  // no group, or none with that controller
        let kills = events.split(separator: "\n").first { $0.hasPrefix("oom_kill ") }?.split(separator: " ").last
        remove(directory)
        return kills.flatMap { Int($0) } ?? 0
    }

    /// Removes the groups of jobs that ended while no daemon served.
    func removeEnded(_ hasEnded: (String) -> Bool) {
        guard let tree = current else { return }
        for id in CgroupTree.groups(in: tree.jobs) where hasEnded(id) { remove("\(tree.jobs)/\(id)") }
    }

    /// Groups that are left may have become empty.
    func takeEvents() throws(SystemError) {
        guard let watcher else { return }
        var events: [InotifyEvent] = []
        let isIncomplete = try watcher.inotify.readEvents(into: &events)
        for watch in isIncomplete ? Array(left.keys) : Set(events.map(\.watch)).sorted() {
            guard let directory = left[watch], Self.isRemoved(directory) else { continue }
            left[watch] = nil
        }
    }

    /// Has systemd able to put a process into the service's own group again; see ``CgroupTree/disable()``.
    static func release() throws(RunNotPrepared) { try CgroupTree.find()?.disable() }

    // MARK: Making and removing

    private var current: CgroupTree? {
        if let prepared { return prepared.tree }
        return (try? CgroupTree.find()) ?? nil  // none can be told of, so this daemon has made none
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
        // So many microseconds of each 100,000.
        let processor = limits.processorPercent.map {
            Setting(key: "cpu_percent", controller: .cpu, file: "cpu.max", value: "\(Int($0 * 1000)) 100000")
        }
        let tasks = limits.tasks.map { Setting(key: "tasks", controller: .pids, file: "pids.max", value: "\($0)") }
        return [memory, processor, tasks].compactMap(\.self)
    }

    private func remove(_ directory: String) {
        if Self.isRemoved(directory) { return }
        // A group that cannot be watched goes when the daemon starts the next time.
        guard let watch = try? watch("\(directory)/cgroup.events") else { return }  // as said
        left[watch] = directory
        // The last process may have ended before the watch was there.
        if Self.isRemoved(directory) { left[watch] = nil }
    }

    private func watch(_ file: String) throws(SystemError) -> Int32 {
        if let watcher { return try watcher.inotify.add(file, .modified) }
        let new = try Watcher()
        try listen(new.inotify.descriptor.raw)
        watcher = new
        return try new.inotify.add(file, .modified)
    }

    /// False while something in it lives.
    private static func isRemoved(_ directory: String) -> Bool {
        // The job may have made groups in it.
        for name in CgroupTree.groups(in: directory) { _ = isRemoved("\(directory)/\(name)") }
        return rmdir(directory) == 0 || errno == ENOENT
    }
}
