import Glibc
import Linux
import Store

extension SpoolCommand {
    static let extend = SpoolCommand(
        "extend", "DURATION [ID…] | --to DURATION [ID…]", "give running jobs more time before their timeout, or less",
        details: [
            """
            Extends the timeout of the running try by DURATION; without ID, of the job that calls spoolctl. A timeout that has passed \
            cannot be extended. A job without a timeout gets one, DURATION from now.
            """,
            "With --to, sets the timeout, counted from the start of the try, which can also make it shorter. This needs the daemon.",
            "A number without a unit is seconds.",
            "Without a daemon, spoolctl writes a line to the file extend in the job's directory, which the job's worker reads.",
        ],
        options: [Option("to", value: "DURATION", "how long the try may run in all").inSeconds],
        examples: [
            Example("spoolctl extend --to 5m \"$id\"", "the try ends five minutes after its start"),
            Example("spoolctl extend 10m", "in the job's script"),
            Example("spoolctl extend 1h \"$id\"", "from outside, by the job's owner or root"),
        ]
    ) { session throws(Failure) in
        let to = try session.arguments.value("to").map { text throws(Failure) in try session.milliseconds(text, option: "to") }
        let (milliseconds, texts): (Int64, [String])
        if let to {
            (milliseconds, texts) = (to, session.arguments.operands)
        } else {
            guard let given = try duration(session.arguments.operands) else {
                throw .usage("extend needs a DURATION, such as 10m, or --to; see spoolctl extend --help")
            }
            (milliseconds, texts) = given
        }
        guard milliseconds > 0 else {
            throw .invalid(
                to == nil
                    ? "DURATION must be more than 0; --to makes a timeout shorter"
                    : "--to must be more than 0; spoolctl cancel ends a job at once")
        }
        let own = environment("SPOOL_JOB_ID").map { [$0] } ?? []
        let ids = texts.isEmpty ? own : texts
        guard !ids.isEmpty else { throw .usage("extend needs an ID outside of a job") }
        // A job of another user in root's spool cannot make a request. It writes to its directory, which its worker reads.
        if ids == own, session.owner == nil, geteuid() != 0,
            let spool = try? FileStatus.read(session.spoolPath), spool.owner == 0  // a missing spool is reported below
        {
            if to != nil {
                throw Failure(ExitCode.notPermitted, "--to asks the daemon, and a job of another user cannot; extend DURATION works")
            }
            let job = try RunningJob(session)
            _ = try attempt { () throws(SystemError) in try job.fs.extend(job.directory, milliseconds: milliseconds) }
            if session.isJSON { session.printID(job.id) }
            return ExitCode.done
        }
        var requests = JobRequests(session, pastTense: "extended")
        for job in try requests.open(ids, preferring: [.running]) {
            if try session.daemon() == nil {
                if to != nil { throw Failure(ExitCode.failed, "spoold is not running; --to needs it") }
                try extend(job, milliseconds, session, &requests)
            } else {
                try requests.ask(for: [job]) { writer in
                    writer.member("do", "extend")
                    writer.key(to == nil ? "by" : "to")
                    writer.seconds(milliseconds)
                }
            }
        }
        return requests.code
    }

    /// Extends a job's timeout without a daemon.
    private static func extend(_ job: JobRecord, _ milliseconds: Int64, _ session: Session, _ requests: inout JobRequests) throws(Failure) {
        guard job.place.state == .running else { return requests.printAnswer(job.status.id, ExitCode.failed, "is not running") }
        let fs = try session.openSpool()
        _ = try attempt { () throws(SystemError) in try fs.extend(job.place.path, milliseconds: milliseconds) }
        requests.printAnswer(job.status.id, ExitCode.done, "extended by the job's worker; spoold is not running")
    }

    /// The duration may come before the ids, as xargs needs it, or after them.
    static func duration(_ operands: [String]) throws(Failure) -> (Int64, [String])? {
        guard let first = operands.first, let last = operands.last else { return nil }
        if let span = try? Span.parse(first) {  // else an id, or a mistake: see below
            return (span.approximateMilliseconds, Array(operands.dropFirst()))
        }
        do throws(RecurrenceError) {
            // The message is about the operand that is not an id.
            return (try Span.parse(JobID(last) == nil ? last : first).approximateMilliseconds, operands.dropLast())
        } catch {
            throw .invalid("\"\(JobID(last) == nil ? last : first)\": \(error)")
        }
    }
}
