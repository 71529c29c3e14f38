/// What a request in `control/` and its answer may cost. A request names many jobs, so that one turn of the daemon carries it out
/// for all of them.
public enum RequestLimits {
    /// How many jobs one request names at most.
    public static let jobs = 100_000
    /// Length of a request: an id is a file's name and a few characters more in JSON.
    public static let bytes = 32 << 20
    /// Length of an answer, which has a sentence for each job.
    public static let answerBytes = 128 << 20

    /// For reading a request.
    public static let reading = Limits(bytes: bytes, values: 2 * jobs)
    /// For reading an answer: four values for each job.
    public static let readingAnswer = Limits(bytes: answerBytes, values: 5 * jobs)
}
