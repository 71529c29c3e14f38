import Linux
import Metrics
import Store

/// The metrics of a session's spool, for `spoolctl metrics` and the page's `/metrics`: what the daemon wrote last, with the facts that
/// change without it as they are now.
///
/// A user sees the metrics of that user's part alone. Root sees those of all parts of a machine's spool, each with the user's name, which
/// comes from the part's place: whatever a user has written into the file of the own part, it shows as that user's.
struct MetricsReport {
    private(set) var metrics: Metrics
    /// The parts that could not be read, each with the reason.
    private(set) var troubles: [String] = []

    /// The bytes of a file that are read: more than a daemon writes for the tasks that the configuration lets it name.
    private static let bytesMin = 256 << 10
    private static let bytesOfTask = 2048
    /// The queues that a file can name.
    private static let labelsMin = 4096

    /// Reads the files anew. Throws when the session's own part cannot be read.
    init(_ session: Session) throws(Failure) {
        let tasks = (try? session.configuration())?.metricsTasks ?? Configuration().metricsTasks  // commands that need it report the error
        let limit = Self.bytesMin + tasks * Self.bytesOfTask
        metrics = try Self.read(session, limit: limit, tasks: tasks)
        for part in try EverybodysSpool.users(session) {
            do throws(Failure) {
                metrics.add(try part.asOwner { () throws(Failure) in try Self.read(part, limit: limit, tasks: tasks) })
            } catch {
                troubles += part.troubles(error)
            }
        }
    }

    private static func read(_ session: Session, limit: Int, tasks: Int) throws(Failure) -> Metrics {
        let fs = try session.openSpool()
        let user = session.owner?.name ?? (UserPart.servesEverybody(session.spoolPath) ? "root" : nil)
        let taken = try attempt { () throws(SystemError) in try fs.take(Layout.metrics, limit: limit, ignoringWriters: true) }
        var metrics = Metrics(user: user)
        switch taken {
        case .file(_, let bytes):
            // More labels than a daemon writes are not shown, whatever a user has written.
            metrics = Metrics(
                reading: bytes, user: user, without: [.up, .oldestWaitLength, .standbys, .freeBytes],
                labelledMax: max(tasks, Self.labelsMin))
        // No daemon has written it yet, or none that knows metrics.
        case .missing: break
        case .tooLarge: throw Failure(ExitCode.failed, "\(session.spoolPath)/\(Layout.metrics) has more than \(limit) bytes; not read")
        case .refused(_, let why): throw Failure(ExitCode.failed, "\(session.spoolPath)/\(Layout.metrics) \(why)")
        case .busy, .foreign, .other: throw Failure(ExitCode.failed, "\(session.spoolPath)/\(Layout.metrics) is no file of the daemon's")
        }
        metrics.add(.up, [], .truth(try session.daemon() != nil))
        let standbys = try? Standby.all(ofSpool: session.spoolPath).count  // unreadable: left out
        metrics.add(.standbys, [], standbys.map { .count($0) })
        metrics.add(.freeBytes, [], DiskSpace.freeBytes(atPath: session.spoolPath).map { .count($0) })
        let since = metrics.milliseconds(of: .oldestWait)
        let now = Clock.now()
        metrics.add(.oldestWaitLength, [], .seconds(milliseconds: since.map { max(0, now - $0) } ?? 0))
        return metrics
    }

    /// The body of an answer to a client with this header `Accept`, and its type.
    func answer(accept: String) -> (contentType: String, body: [UInt8]) {
        let format = MetricsFormat(accepting: accept)
        return (format.contentType, metrics.text(format))
    }
}
