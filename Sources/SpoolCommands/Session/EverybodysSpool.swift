import Glibc
import Linux
import Store

// A spool of root's serves everybody: to a user it is her part of it, which to spoolctl is a spool like any other; root sees all, and
// names what is a user's `alice/backup`.

enum EverybodysSpool {
    /// How long a daemon may take to make room for a user, in milliseconds.
    private static let claimMilliseconds: Int64 = 10_000

    /// For a user who names everybody's spool: her part of it.
    static func partOfCaller(_ located: Result<String, Failure>) -> (Result<String, Failure>, User?) {
        let id = geteuid()
        guard id != 0, case .success(let path) = located, UserPart.servesEverybody(path) else { return (located, nil) }
        // A job of root's that runs as another user speaks of root's part, where it stands.
        if let job = environment("SPOOL_JOB_DIR"), job.hasPrefix("\(path)/\(Layout.running)/") { return (located, nil) }
        do throws(SystemError) {
            let user = try UserPart.user(id: id, group: getegid())
            return (.success(UserPart.path(of: user.name, inSpool: path)), user)
        } catch {
            return (.failure(Failure(error)), nil)
        }
    }

    // MARK: Making room

    /// Has what a user needs to put files there: she makes the directories of her name, and root's daemon the rest.
    static func claim(_ path: String, _ user: User) throws(Failure) {
        let spool = UserPart.spool(ofPart: path, of: user.name)
        try refuseDenied(user, spool)
        if isComplete(path) { return }
        for shared in Layout.shared where mkdir("\(spool)/\(shared)/\(user.name)", 0o700) != 0 && errno != EEXIST {
            throw Failure(SystemError(call: "mkdir", path: "\(spool)/\(shared)/\(user.name)", errno: errno))
        }
        let end = MonotonicInstant.now().advanced(byMilliseconds: claimMilliseconds)
        let inotify = try attempt { () throws(SystemError) in
            let inotify = try Inotify()
            _ = try inotify.add("\(spool)/\(Layout.users)", [.movedTo, .created])
            return inotify
        }
        while true {
            // Not there yet: the other watch tells when it is. The daemon writes its number when it has the lock.
            _ = try? inotify.add("\(path)/\(Layout.state)", [.modified])
            try refuseDenied(user, spool)
            if isComplete(path), try attempt({ () throws(SystemError) in try SpoolLock.holder(spool: path) }) != nil { return }
            var descriptor = pollfd(fd: inotify.descriptor.raw, events: Int16(POLLIN), revents: 0)
            guard poll(&descriptor, 1, end.pollTimeout()) != 0 else { break }
            var events: [InotifyEvent] = []
            _ = try attempt { () throws(SystemError) in try inotify.readEvents(into: &events) }
        }
        throw Failure(
            ExitCode.failed,
            "spoold has made no room for \(user.name) in \(spool): it does not run, or may not serve \(user.name) (allow and deny in its configuration)")
    }

    /// As at(1): who is kept out hears that, and not that somebody has to wait.
    static func refuseDenied(_ user: User, _ spool: String) throws(Failure) {
        guard UserPart.isDenied(user.name, inSpool: spool) else { return }
        throw Failure(ExitCode.notPermitted, "user \(user.name) may not use the spool \(spool): allow and deny in root's configuration say so")
    }

    private static func isComplete(_ path: String) -> Bool { access(path, F_OK) == 0 }

    // MARK: Root

    /// The users of a spool, each with a session of her part; none for anybody but root.
    static func users(_ session: Session) throws(Failure) -> [Session] {
        guard geteuid() == 0, session.owner == nil, UserPart.servesEverybody(session.spoolPath) else { return [] }
        let spool = session.spoolPath
        return try attempt { () throws(SystemError) in
            var sessions: [Session] = []
            for name in try UserPart.names(inSpool: spool) {
                guard let user = try UserPart.owner(ofPart: name, inSpool: spool) else { continue }
                sessions.append(Session(session, of: user, at: UserPart.path(of: name, inSpool: spool)))
            }
            return sessions
        }
    }

    /// Does something with all of it: with root's own part, and for root with each user's, as that user. What is wrong with a user's says
    /// nothing of the others: it is complained of, and the exit code tells.
    static func each(_ session: Session, _ body: (Session) throws(Failure) -> Void) throws(Failure) -> Int32 {
        try body(session)
        var code = ExitCode.done
        for part in try users(session) where try !session.tolerating(part, { () throws(Failure) in try body(part) }) { code = ExitCode.failed }
        return code
    }

    /// Commands whose operands are not names of tasks and jobs.
    private static let otherOperands: Set<String> = ["submit", "check", "import", "demo", "completion", "explain", "__complete"]

    /// Where root names what is a user's, `alice/backup`, this process acts as that user, and the command is about that user's part.
    static func actAsOwner(_ session: Session) throws(Failure) -> Session {
        guard geteuid() == 0, !otherOperands.contains(session.command.name) else { return session }
        let operands = session.arguments.operands
        let own = operands.prefix(session.command.ownOperands ?? operands.count)
        let names = own.map { UserPart.split($0) }
        guard let first = names.lazy.compactMap(\.owner).first, Name.isValid(first), UserPart.servesEverybody(session.spoolPath) else { return session }
        guard names.allSatisfy({ $0.owner == first }) else {
            throw .usage("one call is about one user's tasks and jobs: \(own.joined(separator: ", ")) are several's")
        }
        let part = UserPart.path(of: first, inSpool: session.spoolPath)
        guard let user = try attempt({ () throws(SystemError) in try UserPart.owner(ofPart: first, inSpool: session.spoolPath) }) else {
            throw .notFound("\(first) has nothing in \(session.spoolPath)")
        }
        let credentials = try attempt { () throws(SystemError) in try user.credentials() }
        var arguments = session.arguments
        arguments.replaceOperands(names.map(\.name) + operands.dropFirst(own.count))
        let theirs = Session(session, of: user, at: part, arguments)
        theirs.acting = Credentials.Acting(credentials)
        return theirs
    }
}

extension Session {
    /// Reads as the user whose part this is: what she has put there is followed with her rights alone.
    func asOwner<Value>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        guard let owner, geteuid() == 0 else { return try body() }
        let spool = UserPart.spool(ofPart: spoolPath, of: owner.name)
        let (credentials, mounted) = try attempt { () throws(SystemError) in
            (try owner.credentials(), try UserPart.mountPoint(inPart: owner.name, ofSpool: spool))
        }
        if let mounted { throw Failure(ExitCode.failed, "something is mounted on \(mounted)") }
        return try credentials.acting(body)
    }

    /// Does something as whoever called, where this process acts as the user whose part this is.
    func asCaller<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        guard let acting else { return try body() }
        return try acting.pausing(body)
    }

    /// Does something with one part of several, as who owns it. False: it failed, and what is wrong with a user's has been complained of.
    func tolerating(_ part: Session, _ body: () throws(Failure) -> Void) throws(Failure) -> Bool {
        do throws(Failure) {
            try part.asOwner(body)
            return true
        } catch {
            if part === self { throw error }
            for line in part.troubles(error) { complain(line) }
            return false
        }
    }

    /// What is wrong with a user's part, as root is told.
    func troubles(_ failure: Failure) -> [String] { failure.lines.map { "\(owner?.name ?? "root"): \($0)" } }

    /// A name as root sees it: `alice/backup`.
    func qualified(_ name: String) -> String {
        guard let owner, getuid() == 0 else { return name }
        return UserPart.qualified(name, of: owner.name)
    }
}
