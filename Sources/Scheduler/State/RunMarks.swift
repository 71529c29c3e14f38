/// The last start, end and success of a task's runs, for those who watch the task. Kept for each task that has run, so without a word more
/// than is needed.
public struct RunMarks: Sendable, Equatable {
    private var started = Self.none
    private var ended = Self.none
    private var succeeded = Self.none
    private var duration = Self.none
    private var code: Int32 = .min

    private static var none: Int64 { .min }

    public init() {}

    public init(
        startedAt: Instant?, endedAt: Instant?, succeededAt: Instant?, durationMilliseconds: Int64?, exitCode: Int?
    ) {
        started = startedAt?.milliseconds ?? Self.none
        ended = endedAt?.milliseconds ?? Self.none
        succeeded = succeededAt?.milliseconds ?? Self.none
        duration = durationMilliseconds ?? Self.none
        code = exitCode.flatMap { Int32(exactly: $0) } ?? .min
    }

    /// The last try began.
    public var startedAt: Instant? { Self.instant(started) }
    /// The last try ended.
    public var endedAt: Instant? { Self.instant(ended) }
    /// The last success.
    public var succeededAt: Instant? { Self.instant(succeeded) }
    /// The length of the last try that has ended. Nil when nobody has measured it.
    public var durationMilliseconds: Int64? { duration == Self.none ? nil : duration }
    /// The exit code of the last try that has ended. Nil when it has none: a signal ended it, or it is lost.
    public var exitCode: Int? { code == .min ? nil : Int(code) }

    public var isEmpty: Bool { self == RunMarks() }

    private static func instant(_ milliseconds: Int64) -> Instant? {
        milliseconds == none ? nil : Instant(milliseconds: milliseconds)
    }

    mutating func start(at instant: Instant) { started = instant.milliseconds }

    mutating func end(_ ending: Ending, at instant: Instant) {
        ended = instant.milliseconds
        duration = ending.usage?.wallMilliseconds ?? Self.none
        code = ending.exitCode.flatMap { Int32(exactly: $0) } ?? .min
        if ending.state == .done { succeeded = instant.milliseconds }
    }
}
