import CLinux
import Glibc
import Linux

/// The processes that earlier runs left running, and how to distinguish them from those of the current run.
///
/// The worker is a child subreaper, so every process of a job is below the worker: below the command, or a child of the worker
/// once its parent has ended. Only children of the worker are killed, and their process groups: until the worker reaps a child,
/// the numbers of that child and its group cannot pass to another process. Deeper descendants become children when the processes
/// above them die, so killing in rounds reaches all. Asking deeper processes to end uses pidfds.
///
/// A child belongs to an earlier run when that run left it, or when it is in a session of that run. (A process that an earlier
/// leftover started in a new session and orphaned during this run cannot be distinguished from this run's own.)
struct Leftovers {
    private var pids: Set<pid_t> = []
    private var sessions: Set<pid_t> = []

    /// The worker has reaped a child that is not the command.
    mutating func ended(_ pid: pid_t) {
        if pids.remove(pid) != nil && pids.isEmpty { sessions.removeAll() }
    }

    /// Leaves these processes running. From now on they belong to an earlier run.
    mutating func adopt(_ children: [ProcessStatus]) {
        for child in children {
            pids.insert(child.pid)
            sessions.insert(child.session)
        }
    }

    /// The living children of the worker that the run of this `command` has started, without the command itself.
    mutating func children(ofRun command: pid_t) -> [ProcessStatus] {
        var mine: [ProcessStatus] = []
        for child in currentChildren() where child.pid != command && !pids.contains(child.pid) {
            if child.session != command && sessions.contains(child.session) {
                pids.insert(child.pid)
            } else if !child.isZombie {
                mine.append(child)
            }
        }
        return mine
    }

    /// All living processes that the run has started, at any depth, without the command itself.
    mutating func processes(ofRun command: pid_t) -> [ProcessStatus] {
        var found = children(ofRun: command)
        var parents = found.map(\.pid) + [command]
        let table = ProcessTable()
        while let parent = parents.popLast() {
            let below = table.children(of: parent).filter { !$0.isZombie }
            found += below
            parents += below.map(\.pid)
        }
        return found
    }

    /// Kills children of the worker, and the whole groups that they are in.
    static func kill(_ children: [ProcessStatus]) {
        let ownGroup = getpgrp()
        for child in children {
            if child.processGroup > 1 && child.processGroup != ownGroup { Glibc.kill(-child.processGroup, SIGKILL) }
            Glibc.kill(child.pid, SIGKILL)
        }
    }
}

/// All children of the worker, including zombies.
private func currentChildren() -> [ProcessStatus] { ProcessTable().children(of: getpid()) }
