import Glibc
import Linux
import Store

/// The parts of a spool that `top` shows: the spool itself, and for root in a shared spool each user's part, read as that user. An error
/// in one user's part is shown, and the other parts are still shown.
final class TopParts {
    private final class Part {
        let session: Session
        let feed: TopFeed
        var requests: TopRequests

        init(_ session: Session) throws(Failure) {
            self.session = session
            feed = try TopFeed(session)
            requests = TopRequests(session)
        }

        /// Reads the changes. Returns a message about a request that was answered.
        func refresh() throws(Failure) -> String? {
            try feed.drain()
            try feed.refresh()
            var message: String?
            for name in feed.answers { message = try requests.take(answer: name) ?? message }
            feed.answers = []
            return message
        }
    }

    private let own: Part
    private var users: [String: Part] = [:]
    private var sessions: [Session] = []
    /// The errors in users' parts, by user.
    private var failures: [String: [String]] = [:]
    private(set) var snapshot: Snapshot
    /// When unreadable parts are tried again, by the monotonic clock; nil when all parts are readable.
    private var unreadableRetryAt: MonotonicInstant?

    /// When something must be read again without an event, by the monotonic clock.
    var retryAt: MonotonicInstant? { ([unreadableRetryAt] + all.map(\.feed.pollAt)).compactMap(\.self).min() }

    private static let retryMilliseconds: Int64 = 2000

    init(_ session: Session) throws(Failure) {
        own = try Part(session)
        snapshot = own.feed.snapshot
    }

    /// Readable when something has changed in the spool.
    var watches: [Int32] { all.map(\.feed.watch.raw) }

    /// Readable when a daemon has ended.
    var daemons: [Int32] { all.map(\.feed.daemon.raw).filter { $0 >= 0 } }

    private var all: [Part] { [own] + users.values }

    /// True when a known change has not been read yet.
    var isBehind: Bool { all.contains { $0.feed.isBehind } }

    func noteExit(ofDaemon raw: Int32) {
        for part in all where part.feed.daemon.raw == raw { part.feed.daemon.noteExit() }
    }

    /// Reads the changes. Returns a message about a request that was answered.
    @discardableResult
    func refresh() throws(Failure) -> String? {
        var message = try own.refresh()
        snapshot = own.feed.snapshot
        let now = MonotonicInstant.now()
        // An unreadable part is tried again only at `retryAt`, not at each change in another part.
        let isRetryDue = unreadableRetryAt.map { $0 <= now } ?? true
        let known = failures
        failures = [:]
        if own.feed.areUsersChanged {
            own.feed.areUsersChanged = false
            sessions = try EverybodysSpool.users(own.session)
        }
        var refreshed: [String: Part] = [:]
        for session in sessions {
            guard let name = session.owner?.name else { continue }
            if !isRetryDue, let lines = known[name] {
                failures[name] = lines
                continue
            }
            do throws(Failure) {
                try session.asOwner { () throws(Failure) in
                    let part: Part
                    if let known = users[name] { part = known } else { part = try Part(session) }
                    message = try part.refresh() ?? message
                    refreshed[name] = part
                }
            } catch {
                failures[name] = session.troubles(error)
            }
        }
        users = refreshed
        snapshot.unreadable = failures.sorted { $0.key < $1.key }.flatMap(\.value)
        if failures.isEmpty {
            unreadableRetryAt = nil
        } else if isRetryDue {
            unreadableRetryAt = now.advanced(byMilliseconds: Self.retryMilliseconds)
        }
        snapshot.polled = all.lazy.compactMap(\.feed.watch.shortage).first.map { why in
            "changes are shown after up to \(TopFeed.pollMilliseconds / 1000) s: \(why)"
        }
        for (name, part) in refreshed.sorted(by: { $0.key < $1.key }) { snapshot.add(part.feed.snapshot, of: name) }
        return message
    }

    // MARK: Actions

    /// Performs an action of a key. Returns the message about it.
    func perform(_ action: ViewAction) -> String? {
        do throws(Failure) {
            switch action {
            case .quit, .follow: return nil
            case .cancel(let id): return try withPart(of: id) { part, id throws(Failure) in try part.requests.cancel(id) }
            case .kill(let id): return try withPart(of: id) { part, id throws(Failure) in try part.requests.kill(id) }
            case .retry(let id): return try withPart(of: id) { part, id throws(Failure) in try part.requests.retry(id) }
            case .pause(let scope, let owner):
                return try withPart(owner) { part throws(Failure) in
                    try part.session.pause(scope, note: "")
                    return "paused \(scope.spoken(of: owner))"
                }
            case .resume(let scope, let owner):
                return try withPart(owner) { part throws(Failure) in
                    let shown = scope.spoken(of: owner)
                    return try part.session.resume(scope) ? "resumed \(shown)" : "\(shown) is not paused"
                }
            }
        } catch {
            return error.lines.joined(separator: "; ")
        }
    }

    /// The output of a job. The id is looked up again: a waiting file may have got its id since.
    func log(of id: String) throws(Failure) -> TopLog {
        try withPart(of: id) { part, id throws(Failure) in
            var records = try part.session.records()
            return TopLog(part.session, part.feed, id: try part.session.job(id, &records).place.id)
        }
    }

    private func withPart<Value>(of name: String, _ body: (Part, String) throws(Failure) -> Value) throws(Failure) -> Value {
        let (owner, own) = UserPart.split(name)
        return try withPart(owner) { part throws(Failure) in try body(part, own) }
    }

    private func withPart<Value>(_ owner: String?, _ body: (Part) throws(Failure) -> Value) throws(Failure) -> Value {
        guard let owner else { return try body(own) }
        guard let part = users[owner] else { throw .notFound("\(owner) has nothing in \(own.session.spoolPath)") }
        return try part.session.asOwner { () throws(Failure) in try body(part) }
    }
}
