import Glibc
import Linux
import Store

// A spool of root's serves all users. A user sees only their own part, which spoolctl treats as a spool of its own. Root sees all
// parts, and names a user's task or job with the user's name: `alice/backup`.

enum EverybodysSpool {
    /// The time that a daemon has to create a user's part, in milliseconds.
    private static let claimMilliseconds: Int64 = 10_000

    /// The caller's part, when an ordinary user names a shared spool; otherwise the spool itself.
    static func partOfCaller(_ located: Result<String, Failure>) -> (Result<String, Failure>, User?) {
        let id = Reader.user
        guard id != 0, case .success(let path) = located, UserPart.servesEverybody(path) else { return (located, nil) }
        // A job of root's that runs as another user works on root's part, which holds the job.
        if let job = environment("SPOOL_JOB_DIR"), job.hasPrefix("\(path)/\(Layout.running)/") { return (located, nil) }
        do throws(SystemError) {
            let user = try UserPart.user(id: id, group: Reader.group)
            return (.success(UserPart.path(of: user.name, inSpool: path)), user)
        } catch {
            return (.failure(Failure(error)), nil)
        }
    }

    // MARK: Creating a part

    /// Creates a user's part: this process creates the directories of the user's name, and root's daemon creates the rest.
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
            // While the directory is missing, the other watch reports its creation. The daemon writes its pid there when it has the lock.
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
            "spoold has not created the part of \(user.name) in \(spool): spoold is not running, or allow and deny in its configuration "
                + "exclude \(user.name)")
    }

    /// Refuses a user whom `allow` and `deny` exclude, with that reason, as at(1) does.
    static func refuseDenied(_ user: User, _ spool: String) throws(Failure) {
        guard UserPart.isDenied(user.name, inSpool: spool) else { return }
        throw Failure(
            ExitCode.notPermitted, "user \(user.name) may not use the spool \(spool): allow or deny in root's configuration forbids it")
    }

    private static func isComplete(_ path: String) -> Bool { access(path, F_OK) == 0 }

    // MARK: Root

    /// A session for each user's part of a shared spool; empty unless root calls.
    static func users(_ session: Session) throws(Failure) -> [Session] {
        guard Reader.user == 0, session.owner == nil, UserPart.servesEverybody(session.spoolPath) else { return [] }
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

    /// Runs `body` for root's own part and, when root calls, for each user's part as that user. A failure in one user's part is reported
    /// on standard error and in the exit code, and the other parts are still handled.
    static func each(_ session: Session, _ body: (Session) throws(Failure) -> Void) throws(Failure) -> Int32 {
        try body(session)
        var code = ExitCode.done
        for part in try users(session) where try !session.tolerating(part, { () throws(Failure) in try body(part) }) {
            code = ExitCode.failed
        }
        return code
    }

    /// The commands whose operands are not names of tasks or jobs.
    private static let otherOperands: Set<String> = [
        "submit", "check", "import", "apply", "demo", "completion", "explain", "progress", "result", "__complete",
    ]

    /// When root names a user's task or job, `alice/backup`, as an operand or in an option such as `--task`, this process acts as that
    /// user, and the command works on that user's part.
    static func actAsOwner(_ session: Session) throws(Failure) -> Session {
        guard geteuid() == 0 else { return session }
        let command = session.command
        var arguments = session.arguments
        let operands = arguments.operands
        let own = otherOperands.contains(command.name) ? [] : operands.prefix(command.ownOperands ?? operands.count)
        let options = Set(command.options.filter(\.mayNameUser).map(\.name))
        let values = arguments.given.filter { options.contains($0.name) && $0.name != "after" }.map(\.value)
        // The job or task that waits is named elsewhere: --after alone does not decide whose it is.
        let awaited = arguments.given.filter { $0.name == "after" && UserPart.split($0.value).owner != nil }.map(\.value)
        // Operands that say a user also say the user of the options, and options that of the operands.
        let sides = [try names(command, arguments, Array(own)), values]
        let texts = sides.filter { $0.contains { UserPart.split($0).owner != nil } }.flatMap(\.self) + awaited
        let names = texts.map { UserPart.split($0) }
        guard let first = names.lazy.compactMap(\.owner).first, Name.isValid(first), UserPart.servesEverybody(session.spoolPath) else {
            return session
        }
        if texts.count == awaited.count {
            throw .usage(
                "--after \(awaited[0]): a job waits only for jobs of its own user, and this one would be root's; "
                    + "write the new task as USER/NAME too, or submit the job as that user")
        }
        guard names.allSatisfy({ $0.owner == first }) else {
            throw .usage("one call takes the tasks and jobs of one user; \(texts.joined(separator: ", ")) belong to several users")
        }
        arguments.replaceOperands(own.map { UserPart.split($0).name } + operands.dropFirst(own.count))
        arguments.replaceValues(of: options) { UserPart.split($0).name }
        return try part(of: first, session, arguments)
    }

    /// The operands without the duration of `extend`.
    private static func names(_ command: SpoolCommand, _ arguments: Arguments, _ operands: [String]) throws(Failure) -> [String] {
        guard command.name == SpoolCommand.extend.name, arguments.value("to") == nil else { return operands }
        return try SpoolCommand.duration(operands)?.1 ?? []
    }

    /// A session on a user's part of the spool, in which this process, which is root's, acts as that user.
    static func part(of name: String, _ session: Session, _ arguments: Arguments) throws(Failure) -> Session {
        let spool = session.spoolPath
        guard Name.isValid(name), let user = try attempt({ () throws(SystemError) in try UserPart.owner(ofPart: name, inSpool: spool) })
        else { throw .notFound("\(name) has nothing in \(spool)") }
        let credentials = try attempt { () throws(SystemError) in try user.credentials() }
        let theirs = Session(session, of: user, at: UserPart.path(of: name, inSpool: spool), arguments)
        theirs.acting = Credentials.Acting(credentials)
        return theirs
    }
}

extension Session {
    /// Runs `body` with the rights of the user whose part this is, so that root follows the user's files with the user's rights only.
    func asOwner<Value>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        guard let owner, Reader.user == 0 else { return try body() }
        let spool = UserPart.spool(ofPart: spoolPath, of: owner.name)
        let (credentials, mounted) = try attempt { () throws(SystemError) in
            (try owner.credentials(), try UserPart.mountPoint(inPart: owner.name, ofSpool: spool))
        }
        if let mounted { throw Failure(ExitCode.failed, "something is mounted on \(mounted)") }
        return try Reader.reading(as: credentials, in: spool, body)
    }

    /// Runs `body` as the caller, while this process acts as the user whose part this is.
    func asCaller<Value, Failure: Error>(_ body: () throws(Failure) -> Value) throws(Failure) -> Value {
        guard let acting else { return try body() }
        return try acting.pausing(body)
    }

    /// Runs `body` for one part of several, as its owner. Returns false after a failure in a user's part, which is reported on standard
    /// error. A failure in the session's own part is thrown.
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

    /// The lines of a failure in a user's part, each with the user's name.
    func troubles(_ failure: Failure) -> [String] { failure.lines.map { "\(owner?.name ?? "root"): \($0)" } }

    /// A name with its user, as root sees it: `alice/backup`.
    func qualified(_ name: String) -> String {
        guard let owner, Reader.isRoots else { return name }
        return UserPart.qualified(name, of: owner.name)
    }
}
