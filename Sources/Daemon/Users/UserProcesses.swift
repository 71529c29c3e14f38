import CLinux
import Glibc
import Linux
import Store

/// The processes on this machine that serve users of root's spool, whether this daemon or an earlier one started them.
enum UserProcesses {
    /// The time that users' daemons may take to end when root's daemon has ended.
    private static let endMilliseconds: Int64 = 5000

    /// The number of workers of each user. A worker counts until it ends, even if it is idle.
    static func workers(ofSpool spool: String) -> [String: Int] {
        guard let users = realPath("\(spool)/\(Layout.users)") else { return [:] }
        var counts: [String: Int] = [:]
        for pid in pids(named: "spool-worker") {
            // A worker has its record open at descriptor 4.
            let record = try? Directory.open("/").readSymbolicLink("/proc/\(pid)/fd/4")  // ended meanwhile, or not a worker
            guard let record, record.hasPrefix("\(users)/") else { continue }
            let parts = record.dropFirst(users.utf8.count + 1).split(separator: "/")
            if parts.count == 4, parts[1...2].joined(separator: "/") == Layout.workers { counts[String(parts[0]), default: 0] += 1 }
        }
        return counts
    }

    /// Waits for the users' daemons that an earlier daemon of root started, and kills those that do not end in time. They end when their
    /// link is closed, but may start jobs until then.
    static func endDaemons(ofSpool spool: String) {
        let limit = MonotonicInstant.now().advanced(byMilliseconds: endMilliseconds)
        for pid in pids(named: "spoold") {
            guard let ending = try? Linux.Process.openPidfd(pid) else { continue }  // ended, or no descriptor is left: not waited for
            guard isUserDaemon(pid, ofSpool: spool) else { continue }
            var descriptor = pollfd(fd: ending.raw, events: Int16(POLLIN), revents: 0)
            let isEnded = Glibc.poll(&descriptor, 1, limit.pollTimeout()) > 0
            // The user may have stopped it with a signal.
            if !isEnded { _ = linux_pidfd_send_signal(ending.raw, SIGKILL, nil, 0) }
        }
    }

    private static func isUserDaemon(_ pid: pid_t, ofSpool spool: String) -> Bool {
        let bytes = try? FileDescriptor.open("/proc/\(pid)/cmdline", O_RDONLY).readAll(limit: 1 << 16)  // ended: not a daemon any more
        guard let bytes else { return false }
        let arguments = bytes.split(separator: 0).map { FileName.string(from: Array($0)) }
        guard let option = arguments.lastIndex(of: "--serve-user"), option + 1 < arguments.count else { return false }
        return arguments.contains(UserPart.path(of: arguments[option + 1], inSpool: spool))
    }

    private static func pids(named name: String) -> [pid_t] {
        let entries = (try? Directory.open("/proc").list()) ?? []  // without /proc no process is found
        return entries.compactMap { pid_t($0.name) }.filter { pid in
            (try? FileDescriptor.open("/proc/\(pid)/comm", O_RDONLY).readAll(limit: 64)) == Array("\(name)\n".utf8)  // ended
        }
    }

    private static func realPath(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }
}
