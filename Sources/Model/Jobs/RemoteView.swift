/// The state of a run of an executor, as the status shows it.
public struct RemoteView: Sendable, Hashable {
    public enum Phase: String, Sendable, CaseIterable {
        /// It is about to be submitted, or that must be tried again.
        case submitting
        /// The executor is asked whether its engine has the run.
        case looking
        case pending, running
        /// The engine says that it has ended, and its end mark is awaited.
        case ending
        /// The engine does not know it, or does not answer.
        case undecided
    }

    public var phase: Phase
    public var handle: String?
    /// The engine's reason, or what went wrong.
    public var why: String?
    public var position: Int?
    public var host: String?
    /// The time since when the phase lasts.
    public var since: Instant

    public init(
        phase: Phase, handle: String? = nil, why: String? = nil, position: Int? = nil, host: String? = nil, since: Instant
    ) {
        self.phase = phase
        self.handle = handle
        self.why = why
        self.position = position
        self.host = host
        self.since = since
    }

    /// The state in a few words: `pending, as 4242, 3 before it, Resources`. Parts of it are the engine's own words.
    ///
    /// - Parameter isOver: the run has ended, so only its place is told: `as 4242, on n1`.
    public func words(isOver: Bool) -> String {
        let place = [handle.map { "as \($0)" }, host.map { "on \($0)" }]
        let parts = isOver ? place : [phase.rawValue] + place + [position.map { "\($0) before it" }, why]
        return parts.compactMap(\.self).joined(separator: ", ")
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("handle", handle)
        writer.member("state", phase.rawValue)
        writer.member("why", why)
        writer.member("position", position)
        writer.member("host", host)
        writer.member("since", since)
        writer.endObject()
    }
}

extension JobStatus {
    /// An executor runs the job.
    public var isElsewhere: Bool { executor.map { $0 != ExecutorKeys.local } ?? false }

    /// The executor and the state of the run there, in a few words: `slurm: pending, as 4242, Resources`. Nil for a job of this machine.
    public var elsewhere: String? {
        guard isElsewhere, let executor else { return nil }
        let words = remote?.words(isOver: state.isTerminal) ?? ""
        return words.isEmpty ? executor : "\(executor): \(words)"
    }

    /// The state that people are shown: that of the run at its executor while it does not run there.
    public var stateWord: String {
        guard state == .running, isElsewhere, let remote else { return state.rawValue }
        return remote.phase.rawValue
    }
}
