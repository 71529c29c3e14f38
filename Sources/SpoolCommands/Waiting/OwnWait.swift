import Glibc
import Linux
import Store

/// The wait of a command that runs within a job: its mark, and its search for a ring that it is part of.
final class OwnWait {
    private let session: Session
    private let job: String
    private let mark: WaitMark
    private var isReported = false
    /// The time of the last search for a ring, by the monotonic clock.
    private var checkedAt: MonotonicInstant?

    /// The interval between two searches, in milliseconds: other commands can close a ring later.
    private static let checkMilliseconds: Int64 = 5000

    /// Nil when the command runs in no job of this spool, or when its wait has a time limit. Throws when the command would wait for its own
    /// job.
    init?(_ session: Session, _ ids: [String], any: Bool, isLimited: Bool) throws(Failure) {
        guard let job = environment("SPOOL_JOB_ID"), !ids.isEmpty else { return nil }
        if any ? ids.allSatisfy({ $0 == job }) : ids.contains(job), access("\(session.spoolPath)/\(Layout.running)/\(job)", F_OK) == 0 {
            throw Failure(ExitCode.neverRan, "\(job) is the job that this command runs in; the command would wait for its own end")
        }
        guard !isLimited, let mark = WaitMark(session, job: job, WaitMark.Wait(ids: ids, any: any)) else { return nil }
        self.session = session
        self.job = job
        self.mark = mark
    }

    /// The milliseconds until the next search; nil after a ring was reported.
    var millisecondsToNextCheck: Int64? {
        guard !isReported else { return nil }
        return checkedAt.map { $0.advanced(byMilliseconds: Self.checkMilliseconds).millisecondsLeft() } ?? 0
    }

    /// Searches for a ring when the time has come. Returns the message about a new ring. A ring that consists of commands alone is an
    /// error.
    func checkForRing() throws(Failure) -> String? {
        guard millisecondsToNextCheck == 0 else { return nil }
        checkedAt = .now()
        var graph = try WaitRing(session)
        guard let ring = try graph.ring(of: job) else { return nil }
        if WaitRing.isOfCommandsAlone(ring), ring.contains(where: { $0.job == job }) {
            throw Failure(ExitCode.neverRan, "this would wait for ever: \(WaitRing.text(ring))")
        }
        isReported = true
        return "this waits for ever: \(WaitRing.text(ring)); cancel one of these jobs, or configure more slots"
    }
}
