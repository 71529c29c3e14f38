import Model
import Scheduler
import Store

// The cgroups of jobs with limits.memory, cpu_percent or tasks.

extension Daemon {
    /// For the service manager, when the daemon has ended: lifts what keeps it from starting the next one; see ``CgroupTree/disable()``.
    public static func releaseGroups() throws(DaemonFailure) {
        do throws(RunNotPrepared) { try Cgroups.release() } catch { throw DaemonFailure(error.why) }
    }

    /// The group that a job's command is to enter; nil: none can be had, and none need be.
    func group(of job: Job) throws(RunNotPrepared) -> String? {
        guard let limits = job.definition.cgroupLimits else { return nil }
        return try cgroups.make(for: job.id.text, limits)
    }

    /// Of a job that an earlier daemon started.
    func restoreLimits(of job: Job) {
        guard let limits = job.definition.cgroupLimits else { return }
        do throws(RunNotPrepared) { try cgroups.restore(job.id.text, limits) } catch {
            log.write(.warning, "limits-not-set", at: now, ["id": job.id.text, "error": error.why, "effect": "it goes on without"])
        }
    }

    /// A try has ended, or never began. Returns what the kernel did to it for its limits.
    package func leaveGroup(of job: Job) -> String? {
        guard let limits = job.definition.cgroupLimits else { return nil }
        let kills = cgroups.leave(job.id.text)
        guard kills > 0 else { return nil }
        let bytes = limits.memoryBytes.map { ", \($0) bytes," } ?? ""
        let processes = kills == 1 ? "one of its processes" : "\(kills) of its processes"
        return "the kernel killed \(processes) for want of memory: limits.memory\(bytes) was reached"
    }

    /// Removes the groups of jobs that ended while no daemon served. It takes only jobs whose record is in `done/` or `failed/` of this
    /// spool, because the jobs of another spool may have their groups in the same directory.
    func removeEndedGroups() {
        guard link == nil else { return }
        cgroups.removeEnded { name in
            guard let id = JobID(name), scheduler.jobs[id]?.state != .running else { return false }
            return [Layout.done, Layout.failed].contains { directory in
                (try? spool.fs.status("\(directory)/\(name)")) ?? nil != nil  // left alone where it cannot be looked at
            }
        }
    }
}
