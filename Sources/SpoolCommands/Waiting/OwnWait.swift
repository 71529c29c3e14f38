import Glibc
import Linux
import Store

/// A command's own wait, when it runs within a job: its mark, and what it has to say of a ring that it is part of.
final class OwnWait {
    private let session: Session
    private let job: String
    private let mark: WaitMark
    private var isReported = false
    /// When a ring was looked for last, by the monotonic clock.
    private var checkedAt: MonotonicInstant?

    /// How often a ring is looked for again that others may have closed, in milliseconds.
    private static let checkMilliseconds: Int64 = 5000

    /// Nil: the command runs in no job of this spool, or its wait ends by itself. Throws where it would wait for its own end.
    init?(_ session: Session, _ ids: [String], any: Bool, isLimited: Bool) throws(Failure) {
        guard let job = environment("SPOOL_JOB_ID"), !ids.isEmpty else { return nil }
        if any ? ids.allSatisfy({ $0 == job }) : ids.contains(job), access("\(session.spoolPath)/\(Layout.running)/\(job)", F_OK) == 0 {
            throw Failure(ExitCode.neverRan, "\(job) is the job that this command runs in: it would wait for its own end")
        }
        guard !isLimited, let mark = WaitMark(session, job: job, WaitMark.Wait(ids: ids, any: any)) else { return nil }
        self.session = session
        self.job = job
        self.mark = mark
    }

    /// In how many milliseconds to look again; nil: there is nothing more to say.
    var millisecondsToNextCheck: Int64? {
        guard !isReported else { return nil }
        return checkedAt.map { $0.advanced(byMilliseconds: Self.checkMilliseconds).millisecondsLeft() } ?? 0
    }

    /// Looks for a ring, when it is time to; what there is to say of a new one. A ring of commands alone is an error.
    func checkForRing() throws(Failure) -> String? {
        guard millisecondsToNextCheck == 0 else { return nil }
        checkedAt = .now()
        var graph = try WaitRing(session)
        guard let ring = try graph.ring(of: job) else { return nil }
        if WaitRing.isOfCommandsAlone(ring), ring.contains(where: { $0.job == job }) {
            throw Failure(ExitCode.neverRan, "this would wait for ever: \(WaitRing.text(ring))")
        }
        isReported = true
        return "this waits for ever: \(WaitRing.text(ring)); to end it, cancel one of these jobs, or give more slots"
    }
}
