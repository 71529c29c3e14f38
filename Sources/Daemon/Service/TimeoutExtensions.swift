import Scheduler
import Store

/// Requests that move or begin the limit of a running try. The worker, of this daemon or an earlier one, finds the change in the job's
/// directory.
///
/// Invariant: the journal contains that an extension is about to be written before it is written, because a line that is added twice
/// would count twice.
final class TimeoutExtensions<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    /// An extension that is written when the turn is carried out.
    private struct Extension {
        var request: String
        var job: Job
        /// 0 when the limit is there already.
        var milliseconds: Int64
        /// The time at which the timeout would expire without any extension.
        var limit: Instant
        /// The worker must read it now: the limit comes sooner than the worker expects.
        var mustBeNoticed: Bool
    }

    private var pending: [Extension] = []

    init(_ service: Service<FS, W>) { self.service = service }

    func hasRequest(_ name: String) -> Bool { pending.contains { $0.request == name } }

    /// Returns the answer when there is nothing to move. Nil when the answer follows in this turn.
    func add(_ job: Job, to limit: JobRequest.Limit, request: String) throws(SystemError) -> (code: Int, message: String)? {
        guard job.state == .running, let started = job.startedAt else { return (1, "is not running") }
        let timeout = timeout(of: job) ?? 0
        let moved = try spool.fs.extended(Layout.directory(of: job.id, .running))
        let ran = max(0, now.milliseconds - started.milliseconds)
        let hasLimit = timeout + moved > 0
        let milliseconds: Int64
        switch limit {
        case .later(let more): milliseconds = hasLimit ? more : ran + more
        case .at(let length):
            guard length > ran else {
                return (1, "has run for \(Span(milliseconds: ran / 1000 * 1000)) already; spoolctl cancel ends it")
            }
            milliseconds = length - timeout - moved
        }
        // A worker looks for a change of its own accord only when its limit has come.
        let isSooner = milliseconds < 0 || milliseconds > 0 && !hasLimit
        guard !isSooner || job.executor != nil || world.hasWorker(of: job) else {
            return (1, "was started by an earlier spoold; its limit can only be moved to later")
        }
        handle(.requested(job.id, name: request))
        pending.append(
            Extension(
                request: request, job: job, milliseconds: milliseconds, limit: started.advanced(byMilliseconds: timeout),
                mustBeNoticed: isSooner))
        return nil
    }

    /// The time until which a job may run by its timeout and all extensions that were written. Nil when they cannot be read.
    func limit(of job: Job) -> Instant? {
        guard let started = job.startedAt,
            // An unreadable file contains no information.
            let moved = try? spool.fs.extended(Layout.directory(of: job.id, .running))
        else { return nil }
        return started.advanced(byMilliseconds: timeout(of: job) ?? 0).advanced(byMilliseconds: moved)
    }

    /// The timeout that the job's worker received, in milliseconds. Nil when there is none. The configured timeout may have
    /// changed since.
    private func timeout(of job: Job) -> Int64? {
        guard let timeout = job.definition.timeoutMilliseconds ?? world.configuration.defaultTimeoutMilliseconds, timeout > 0
        else { return nil }
        return timeout
    }

    /// Writes the extensions of this turn, which is journaled. Returns the answers.
    func carryOut() -> [RequestAnswer] {
        defer { pending.removeAll() }
        return pending.map { one in
            let id = one.job.id
            do throws(SystemError) {
                let directory = Layout.directory(of: id, .running)
                let moved = one.milliseconds == 0
                    ? try spool.fs.extended(directory) : try spool.fs.extend(directory, milliseconds: one.milliseconds)
                if one.job.executor != nil, one.milliseconds != 0 {
                    service.submit(.extended(id, byMilliseconds: one.milliseconds))
                } else if one.mustBeNoticed {
                    world.stop(one.job, .signal(0))
                }
                let until = one.limit.advanced(byMilliseconds: moved)
                let by = "\(one.milliseconds < 0 ? "-" : "")\(Span(milliseconds: abs(one.milliseconds)))"
                log.write(.notice, "extend", at: now, ["id": id.text, "by": by, "until": until.rfc3339])
                var answer = RequestAnswer(one.request, 0, "may run until \(until.rfc3339)")
                answer.until = until
                return answer
            } catch {
                return RequestAnswer(one.request, 1, "\(error)")
            }
        }
    }
}
