import Glibc
import Linux
import Store

/// The facts that `top` has about the daemon: the holder of the spool's lock, the published status, and the daemon's exit.
final class TopDaemon {
    private let session: Session
    private let fs: DiskFileSystem
    var isChanged = true
    private var exit: (pid: Int32, raw: Int32)?
    /// The pid of a holder whose number belongs to no process here: the holder runs on another machine or in another namespace.
    private var foreign: Int32?
    private(set) var defaultTimeoutMilliseconds: Int64?

    init(_ session: Session, _ fs: DiskFileSystem) {
        self.session = session
        self.fs = fs
    }

    deinit { if let exit { close(exit.raw) } }

    /// Readable when the daemon has ended; -1 without a daemon to wait for.
    var raw: Int32 { exit?.raw ?? -1 }

    func noteExit() {
        guard let exit else { return }
        close(exit.raw)
        foreign = exit.pid
        self.exit = nil
        isChanged = true
    }

    func refresh(_ snapshot: inout Snapshot) throws(Failure) {
        guard isChanged else { return }
        isChanged = false
        let holder = try session.daemon()
        if holder == nil { foreign = nil }
        if let holder, holder.pid > 0, holder.pid != foreign, exit?.pid != holder.pid {
            if let exit { close(exit.raw) }
            exit = nil
            // A process that cannot be watched still reports an orderly end in its status.
            if let file = try? Process.openPidfd(holder.pid) { exit = (holder.pid, file.release()) }
        }
        let table = try session.daemonTable(fs) ?? Table()
        let isItsOwn = holder != nil && table.whole("pid") == holder.map { Int64($0.pid) }
        var daemon = Snapshot.Daemon()
        daemon.pid = holder?.pid
        daemon.host = holder?.host ?? ""
        daemon.since = holder == nil ? table.instant("at") : isItsOwn ? table.instant("started_at") : nil
        if case .array(let problems)? = table["problems"]?.kind { daemon.problems = problems.count }
        if case .array(let tasks)? = table["overdue"]?.kind {
            for case .table(let one) in tasks.map(\.kind) { if let task = one.text("task") { daemon.overdue.append(task) } }
        }
        snapshot.daemon = daemon
        session.forgetConfiguration()
        // An invalid one: the daemon's limits are shown, else the defaults.
        let configuration = (try? session.configuration()) ?? Configuration()
        defaultTimeoutMilliseconds = configuration.defaultTimeoutMilliseconds
        snapshot.surroundings.slots = configuration.slots
        snapshot.surroundings.queueSlots = configuration.queueSlots
        snapshot.surroundings.take(published: isItsOwn ? table : Table())
        snapshot.surroundings.daemonGoneSince = holder == nil ? table.instant("at") ?? Instant(milliseconds: 0) : nil
    }
}
