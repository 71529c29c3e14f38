import Glibc
import Linux
import TextSearch

/// The cgroups below the daemon's own: cgroups(7), version 2, where it has been delegated.
///
///     <the daemon's>/spoold/     the daemon and its workers: a group that has children with limits may hold no process itself
///     <the daemon's>/jobs/ID/    one job, removed when its last process has ended
struct CgroupTree {
    /// The daemon's own group, in the file system.
    let base: String

    var jobs: String { "\(base)/jobs" }
    private var own: String { "\(base)/spoold" }

    /// The tree of this daemon. Nil when no cgroup file system of version 2 is mounted.
    static func find() throws(RunNotPrepared) -> CgroupTree? {
        let mounts = try read("/proc/self/mountinfo").split(separator: "\n")
        // proc(5): the fifth field is the mount point. The type follows " - ".
        guard
            let mount = mounts.first(where: { $0.firstRange(of: " - cgroup2 ") != nil })?.split(separator: " ").dropFirst(4).first,
            let own = try read("/proc/self/cgroup").split(separator: "\n").first(where: { $0.hasPrefix("0::") })
        else { return nil }
        var path = own.dropFirst(3)
        // A restarted daemon may begin in the leaf of the one before, and systemd runs the program for a stopped service in `.control`.
        // The service's own group is above both.
        for leaf in ["/spoold", "/.control"] where path.hasSuffix(leaf) { path = path.dropLast(leaf.count) }
        return CgroupTree(base: path == "/" ? String(mount) : "\(mount)\(path)")
    }

    /// Enables these controllers for the groups of jobs, as far as they are delegated, and returns the enabled ones. Before that, moves the
    /// processes of the daemon's group into the leaf `spoold`.
    func enable(_ controllers: [String]) throws(RunNotPrepared) -> Set<String> {
        let available = Set(try Self.read("\(base)/cgroup.controllers").split(whereSeparator: \.isWhitespace).map(String.init))
        let wanted = controllers.filter(available.contains)
        try Self.makeDirectory(own)
        try Self.makeDirectory(jobs)
        for pid in try Self.read("\(base)/cgroup.procs").split(separator: "\n") {
            // The process has ended since the list was read, so it does not have to be moved.
            do throws(RunNotPrepared) { try Self.write(String(pid), to: "\(own)/cgroup.procs") } catch { continue }
        }
        if !wanted.isEmpty {
            let enabling = wanted.map { "+\($0)" }.joined(separator: " ")
            try Self.write(enabling, to: "\(base)/cgroup.subtree_control")
            try Self.write(enabling, to: "\(jobs)/cgroup.subtree_control")
        }
        return Set(wanted)
    }

    /// Disables all controllers below the daemon's group, so that systemd can put a process into it again. This lifts the limits of running
    /// jobs; the next daemon sets them again.
    func disable() throws(RunNotPrepared) {
        if Self.exists(jobs) { try Self.disable(jobs) }
        try Self.disableHere(base)
    }

    private static func disable(_ directory: String) throws(RunNotPrepared) {
        // A job may have made groups inside its own.
        for name in groups(in: directory) { try disable("\(directory)/\(name)") }
        try disableHere(directory)
    }

    private static func disableHere(_ directory: String) throws(RunNotPrepared) {
        let enabled = try read("\(directory)/cgroup.subtree_control").split(whereSeparator: \.isWhitespace)
        if !enabled.isEmpty { try write(enabled.map { "-\($0)" }.joined(separator: " "), to: "\(directory)/cgroup.subtree_control") }
    }

    // MARK: Files

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// The names of the groups directly in a group. Empty when the group is gone.
    static func groups(in directory: String) -> [String] {
        guard let entries = try? Directory.open(directory).list() else { return [] }  // removed since it was found: it has no groups
        return entries.filter { $0.kind == .directory }.map(\.name)
    }

    static func read(_ path: String) throws(RunNotPrepared) -> String {
        do throws(SystemError) {
            return String(decoding: try FileDescriptor.open(path, O_RDONLY).readAll(limit: 4 << 20), as: UTF8.self)
        } catch {
            throw refused(path, error.message)
        }
    }

    static func write(_ text: String, to path: String) throws(RunNotPrepared) {
        do throws(SystemError) { try FileDescriptor.open(path, O_WRONLY).write(Array(text.utf8)) } catch {
            throw refused(path, error.message)
        }
    }

    static func makeDirectory(_ path: String) throws(RunNotPrepared) {
        if mkdir(path, 0o755) != 0, errno != EEXIST { throw refused(path, SystemError(call: "mkdir", errno: errno).message) }
    }

    private static func refused(_ path: String, _ why: String) -> RunNotPrepared {
        RunNotPrepared(why: "limits: spoold needs a cgroup of its own; \(path): \(why); \(remedy)")
    }

    /// The advice differs by user: the daemon of a user on the machine's spool is not a systemd unit of its own.
    private static var remedy: String {
        let unit =
            geteuid() == 0
            ? "Delegate=yes in spoold's unit gives it one"
            : """
            spoold as a user service, with Delegate=yes and a spool of the user's own, has one; \
            root's tasks with the key user have one too
            """
        return "\(unit); limits.required = false runs the job without"
    }
}
