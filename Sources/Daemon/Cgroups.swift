import Glibc
import Linux
import Model

/// A cgroup for each job that asks for one, below the daemon's own: cgroups(7), version 2, where it has been delegated.
///
///     <the daemon's>/spoold/     the daemon and its workers: what has children with limits may hold no process itself
///     <the daemon's>/jobs/ID/    one job, removed when it has ended
final class Cgroups {
    private enum Controller: String, CaseIterable { case memory, cpu, pids }

    /// Set when one was first asked for: where jobs' groups are made, with which controllers; or why they cannot be.
    private var prepared: (base: String, controllers: Set<String>)?

    /// Makes the group of a job with its limits. Nil when it cannot be had and need not.
    func make(for id: String, _ limits: CgroupLimits) throws(RunNotPrepared) -> String? {
        var needed: [(key: String, controller: Controller, file: String, value: String)] = []
        if let bytes = limits.memoryBytes { needed.append(("memory", .memory, "memory.max", "\(bytes)")) }
        if let percent = limits.processorPercent { needed.append(("cpu_percent", .cpu, "cpu.max", "\(Int(percent * 1000)) 100000")) }
        if let tasks = limits.tasks { needed.append(("tasks", .pids, "pids.max", "\(tasks)")) }
        do throws(RunNotPrepared) {
            let (base, controllers) = try prepare()
            if let lacking = needed.first(where: { !controllers.contains($0.controller.rawValue) }) {
                throw RunNotPrepared(
                    why: "limits.\(lacking.key): the \(lacking.controller) controller of cgroup v2 is not delegated to spoold; Delegate=yes in its unit does that, and limits.required = false runs the job without")
            }
            let directory = "\(base)/jobs/\(id)"
            try Self.makeDirectory(directory)
            for one in needed { try Self.write(one.value, to: "\(directory)/\(one.file)") }
            return directory
        } catch {
            if limits.isRequired { throw error }
            return nil
        }
    }

    /// Removes the group of a job that has ended. What the job left running keeps it; it is tried again with the next one.
    func remove(_ id: String) {
        guard let prepared else { return }
        rmdir("\(prepared.base)/jobs/\(id)")
    }

    private func prepare() throws(RunNotPrepared) -> (base: String, controllers: Set<String>) {
        if let prepared { return prepared }
        guard let base = try Self.ownDirectory() else {
            throw RunNotPrepared(why: "limits: no cgroup v2 is mounted; limits.required = false runs the job without memory, cpu_percent and tasks")
        }
        let available = Set(try Self.read("\(base)/cgroup.controllers").split(whereSeparator: \.isWhitespace).map(String.init))
        let wanted = Controller.allCases.map(\.rawValue).filter(available.contains)
        try Self.makeDirectory("\(base)/spoold")
        try Self.makeDirectory("\(base)/jobs")
        for pid in try Self.read("\(base)/cgroup.procs").split(separator: "\n") {
            // One that ended meanwhile cannot be moved and need not.
            do throws(RunNotPrepared) { try Self.write(String(pid), to: "\(base)/spoold/cgroup.procs") } catch { continue }
        }
        if !wanted.isEmpty {
            let enabling = wanted.map { "+\($0)" }.joined(separator: " ")
            try Self.write(enabling, to: "\(base)/cgroup.subtree_control")
            try Self.write(enabling, to: "\(base)/jobs/cgroup.subtree_control")
        }
        let found = (base, Set(wanted))
        prepared = found
        return found
    }

    /// The daemon's own group: where version 2 is mounted, and its path there.
    private static func ownDirectory() throws(RunNotPrepared) -> String? {
        let mounts = try read("/proc/self/mountinfo").split(separator: "\n")
        // proc(5): fields up to " - ", then the type; the fifth is where it is mounted.
        guard
            let mount = mounts.first(where: { $0.firstRange(of: " - cgroup2 ") != nil })?.split(separator: " ").dropFirst(4).first,
            let own = try read("/proc/self/cgroup").split(separator: "\n").first(where: { $0.hasPrefix("0::") })
        else { return nil }
        let path = own.dropFirst(3)
        // A daemon that was restarted in its own leaf belongs above it.
        let base = path.hasSuffix("/spoold") ? path.dropLast("/spoold".count) : path
        return base == "/" ? String(mount) : "\(mount)\(base)"
    }

    // MARK: Files

    private static let remedy = "Delegate=yes in spoold's unit gives it one, and limits.required = false runs the job without"

    private static func refused(_ path: String, _ why: String) -> RunNotPrepared {
        RunNotPrepared(why: "limits: spoold needs a cgroup of its own; \(path): \(why); \(remedy)")
    }

    private static func read(_ path: String) throws(RunNotPrepared) -> String {
        do throws(SystemError) { return String(decoding: try FileDescriptor.open(path, O_RDONLY).readAll(limit: 4 << 20), as: UTF8.self) } catch {
            throw refused(path, error.message)
        }
    }

    private static func write(_ text: String, to path: String) throws(RunNotPrepared) {
        do throws(SystemError) { try FileDescriptor.open(path, O_WRONLY).write(Array(text.utf8)) } catch {
            throw refused(path, error.message)
        }
    }

    private static func makeDirectory(_ path: String) throws(RunNotPrepared) {
        if mkdir(path, 0o755) != 0, errno != EEXIST {
            throw refused(path, String(cString: strerror(errno)))
        }
    }
}
