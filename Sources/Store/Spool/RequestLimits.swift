/// Limits of a request in `control/` and its answer. A request names many jobs, so that the daemon handles all of them in one
/// turn.
public enum RequestLimits {
    /// The maximum number of jobs in one request.
    public static let jobs = 100_000
    /// The length of a request: an id is a file's name, and a few characters more in JSON.
    public static let bytes = 32 << 20
    /// The length of an answer, which has a sentence for each job.
    public static let answerBytes = 128 << 20

    /// The limits for reading a request.
    public static let reading = Limits(bytes: bytes, values: 2 * jobs)
    /// The limits for reading an answer: four values for each job.
    public static let readingAnswer = Limits(bytes: answerBytes, values: 5 * jobs)
}
