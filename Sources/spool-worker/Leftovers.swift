import CLinux
import Glibc
import Linux

/// What earlier runs left running, and how to tell it from what the present run started.
///
/// As the worker is a child subreaper, whatever a job starts is below it: below the command, or a child of the worker once
/// its parent has ended. Only children of the worker are ever signalled, and their process groups: until the worker reaps a
/// child, its number and its group's cannot pass to anybody else. Deeper descendants become children when those above
/// them die, so killing in rounds reaches all.
///
/// A child is of an earlier run when it was left by one, or is in a session of one. (A process that an earlier leftover
/// started in a new session and orphaned during this run cannot be told from this run's own.)
struct Leftovers {
    private var pids: Set<pid_t> = []
    private var sessions: Set<pid_t> = []

    /// A child that is no command was reaped.
    mutating func ended(_ pid: pid_t) {
        if pids.remove(pid) != nil && pids.isEmpty { sessions.removeAll() }
    }

    /// Leaves these running: from now on they are of an earlier run.
    mutating func adopt(_ children: [ProcessStatus]) {
        for child in children {
            pids.insert(child.pid)
            sessions.insert(child.session)
        }
    }

    /// The living children of the worker that the run whose command is, or was, `command` has started, without the command.
    mutating func children(ofRun command: pid_t) -> [ProcessStatus] {
        var mine: [ProcessStatus] = []
        for child in currentChildren() where child.pid != command && !pids.contains(child.pid) {
            if child.session != command && sessions.contains(child.session) {
                pids.insert(child.pid)
            } else if child.state != UInt8(ascii: "Z") {
                mine.append(child)
            }
        }
        return mine
    }

    /// Kills children of the worker, and whole the groups they are in.
    static func kill(_ children: [ProcessStatus]) {
        let ownGroup = getpgrp()
        for child in children {
            if child.processGroup > 1 && child.processGroup != ownGroup { Glibc.kill(-child.processGroup, SIGKILL) }
            Glibc.kill(child.pid, SIGKILL)
        }
    }
}

// MARK: - The process table

/// All children of the worker, zombies too. From /proc/self/task/TID/children where the kernel has it (CONFIG_PROC_CHILDREN),
/// else from every process's parent, at about 5 µs for each process of the machine; so this is for runs that left something.
private func currentChildren() -> [ProcessStatus] {
    let own = getpid()
    let candidates = listedChildren(own) ?? allProcesses()
    // One that cannot be read has been reaped since, or is a stranger who hides: neither is a child.
    return candidates.compactMap { try? ProcessStatus.read($0) }.filter { $0.parent == own }
}

private func listedChildren(_ own: pid_t) -> [pid_t]? {
    // ENOENT: the kernel lacks it.
    guard let text = try? FileDescriptor.open("/proc/self/task/\(own)/children", O_RDONLY).readAll() else { return nil }
    return text.split(separator: UInt8(ascii: " ")).compactMap { pid_t(String(decoding: $0, as: UTF8.self)) }
}

private func allProcesses() -> [pid_t] {
    guard let entries = try? Directory.open("/proc").list() else { return [] }  // no /proc: nothing is known
    return entries.compactMap { pid_t($0.name) }
}
