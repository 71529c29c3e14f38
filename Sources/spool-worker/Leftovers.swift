import CLinux
import Glibc
import Linux

/// What earlier runs left running, and how to tell it from what the present run started.
///
/// As the worker is a child subreaper, whatever a job starts is below it: below the command, or a child of the worker once
/// its parent has ended. Only children of the worker are killed, and their process groups: until the worker reaps a
/// child, its number and its group's cannot pass to anybody else. Deeper descendants become children when those above
/// them die, so killing in rounds reaches all. To be asked to end, deeper ones are told apart by pidfd.
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
            } else if !child.isZombie {
                mine.append(child)
            }
        }
        return mine
    }

    /// All living processes that the run has started, as far down as they go, without the command itself.
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

    /// Kills children of the worker, and whole the groups they are in.
    static func kill(_ children: [ProcessStatus]) {
        let ownGroup = getpgrp()
        for child in children {
            if child.processGroup > 1 && child.processGroup != ownGroup { Glibc.kill(-child.processGroup, SIGKILL) }
            Glibc.kill(child.pid, SIGKILL)
        }
    }
}

/// All children of the worker, zombies too.
private func currentChildren() -> [ProcessStatus] { ProcessTable().children(of: getpid()) }
