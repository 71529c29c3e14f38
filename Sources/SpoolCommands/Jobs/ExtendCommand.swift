import Glibc
import Linux
import Store

extension SpoolCommand {
    static let extend = SpoolCommand(
        "extend", "DURATION [ID…]", "give running jobs more time before their timeout",
        details: [
            "Moves the timeout of the try that runs to so much later; without ID, of the job this is called from. A timeout that has struck is over.",
            "Without a daemon the job's worker still takes it: a line in the file extend in the job's directory.",
        ],
        examples: [
            Example("spoolctl extend 10m", "in the job's own script"),
            Example("spoolctl extend 1h \"$id\"", "from outside, by the job's owner or root"),
        ]
    ) { session throws(Failure) in
        guard let (milliseconds, texts) = try duration(session.arguments.operands) else {
            throw .usage("extend needs a DURATION, such as 10m; see spoolctl extend --help")
        }
        guard milliseconds > 0 else { throw .invalid("a timeout can only be moved to later") }
        let own = environment("SPOOL_JOB_ID").map { [$0] } ?? []
        let ids = texts.isEmpty ? own : texts
        guard !ids.isEmpty else { throw .usage("which job? Outside of one, extend needs an ID") }
        // A job of another user in root's spool can ask nobody, and need not: its worker reads what stands in its directory.
        if ids == own, session.owner == nil, let spool = try? FileStatus.read(session.spoolPath), spool.owner == 0, geteuid() != 0 {  // gone: below
            let job = try RunningJob(session)
            _ = try attempt { () throws(SystemError) in try job.fs.extend(job.directory, milliseconds: milliseconds) }
            if session.isJSON { session.printID(job.id) }
            return ExitCode.done
        }
        var requests = JobRequests(session, pastTense: "extended")
        for job in try requests.open(ids) {
            if try session.daemon() == nil {
                try extend(job, milliseconds, session, &requests)
            } else {
                try requests.ask(for: [job]) { writer in
                    writer.member("do", "extend")
                    writer.key("by")
                    writer.seconds(milliseconds)
                }
            }
        }
        return requests.code
    }

    /// What can be done without a daemon.
    private static func extend(_ job: JobRecord, _ milliseconds: Int64, _ session: Session, _ requests: inout JobRequests) throws(Failure) {
        guard job.place.state == .running else { return requests.printAnswer(job.status.id, ExitCode.failed, "is not running") }
        let fs = try session.openSpool()
        _ = try attempt { () throws(SystemError) in try fs.extend(job.place.path, milliseconds: milliseconds) }
        requests.printAnswer(job.status.id, ExitCode.done, "extended; spoold is not running, and the job's worker needs none")
    }

    /// The duration may stand before the ids, as xargs needs it, or behind them.
    static func duration(_ operands: [String]) throws(Failure) -> (Int64, [String])? {
        guard let first = operands.first, let last = operands.last else { return nil }
        if let span = try? Span.parse(first) { return (span.approximateMilliseconds, Array(operands.dropFirst())) }  // an id, perhaps
        do throws(RecurrenceError) {
            // What is an id is none: then the other is what is wrong.
            return (try Span.parse(JobID(last) == nil ? last : first).approximateMilliseconds, operands.dropLast())
        } catch {
            throw .invalid("\"\(JobID(last) == nil ? last : first)\": \(error)")
        }
    }
}
