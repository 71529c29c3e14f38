import CLinux
import Glibc
import Linux
import Store

/// The processes that serve users of a spool of root's, and that root's daemon need not have started: its predecessor may have.
enum UserProcesses {
    /// How long daemons that have nobody any more may take to end.
    private static let endMilliseconds: Int64 = 5000

    /// How many workers each user has. A worker that has nothing to do counts until it has ended.
    static func workers(ofSpool spool: String) -> [String: Int] {
        guard let users = realPath("\(spool)/\(Layout.users)") else { return [:] }
        var counts: [String: Int] = [:]
        for pid in pids(named: "spool-worker") {
            // The record of a worker is open at descriptor 4.
            let record = try? Directory.open("/").readSymbolicLink("/proc/\(pid)/fd/4")  // gone meanwhile, or nothing of ours
            guard let record, record.hasPrefix("\(users)/") else { continue }
            let parts = record.dropFirst(users.utf8.count + 1).split(separator: "/")
            if parts.count == 4, parts[1...2].joined(separator: "/") == Layout.workers { counts[String(parts[0]), default: 0] += 1 }
        }
        return counts
    }

    /// Waits for the daemons of users that an earlier daemon of root's has left, and that end with it: until then one may start a job.
    static func endDaemons(ofSpool spool: String) {
        let limit = MonotonicInstant.now().advanced(byMilliseconds: endMilliseconds)
        for pid in pids(named: "spoold") {
            guard let ending = try? Linux.Process.openPidfd(pid) else { continue }  // gone, or no descriptor is to be had: nothing to wait for
            guard isUserDaemon(pid, ofSpool: spool) else { continue }
            var descriptor = pollfd(fd: ending.raw, events: Int16(POLLIN), revents: 0)
            let isEnded = Glibc.poll(&descriptor, 1, limit.pollTimeout()) > 0
            // Its user has stopped it, perhaps.
            if !isEnded { _ = linux_pidfd_send_signal(ending.raw, SIGKILL, nil, 0) }
        }
    }

    private static func isUserDaemon(_ pid: pid_t, ofSpool spool: String) -> Bool {
        let bytes = try? FileDescriptor.open("/proc/\(pid)/cmdline", O_RDONLY).readAll(limit: 1 << 16)  // gone: it is none
        guard let bytes else { return false }
        let arguments = bytes.split(separator: 0).map { FileName.string(from: Array($0)) }
        guard let option = arguments.lastIndex(of: "--serve-user"), option + 1 < arguments.count else { return false }
        return arguments.contains(UserPart.path(of: arguments[option + 1], inSpool: spool))
    }

    private static func pids(named name: String) -> [pid_t] {
        let entries = (try? Directory.open("/proc").list()) ?? []  // no /proc: nothing is known of them
        return entries.compactMap { pid_t($0.name) }.filter { pid in
            (try? FileDescriptor.open("/proc/\(pid)/comm", O_RDONLY).readAll(limit: 64)) == Array("\(name)\n".utf8)  // gone meanwhile
        }
    }

    private static func realPath(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }
}
