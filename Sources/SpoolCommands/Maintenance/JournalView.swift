import Glibc
import Linux
import Store

/// The journals of a spool, merged by time: one journal, or for root in a shared spool also that of each user.
final class JournalView {
    private let session: Session
    private let inotify: Inotify
    private let since: Instant?
    private var readers: [JournalCursor] = []
    private var code = ExitCode.done

    init(_ session: Session) throws(Failure) {
        self.session = session
        since = try session.instant(option: "since", as: .past)
        inotify = try attempt { () throws(SystemError) in try Inotify() }
        // A task's name without a user means a task of root's.
        let isOwn = session.arguments.value("task") != nil
        for part in [session] + (isOwn ? [] : try EverybodysSpool.users(session)) {
            if try !session.tolerating(part, { () throws(Failure) in try self.open(part) }) { code = ExitCode.failed }
        }
    }

    func open(_ part: Session) throws(Failure) {
        // The watch is added before reading, so that no record is missed.
        try attempt { () throws(SystemError) in _ = try self.inotify.add("\(part.spoolPath)/\(Layout.journal)", [.movedTo, .modified]) }
        readers.append(try JournalCursor(part, since: since))
    }

    func run() throws(Failure) -> Int32 {
        let follows = session.arguments.flag("follow")
        if let note = session.timesNote, !session.isJSON { session.output.line(session.output.coloured(note, .dim)) }
        while true {
            try readAll()
            session.output.flush()
            guard follows else { return code }
            var polls = [pollfd(fd: inotify.descriptor.raw, events: Int16(POLLIN), revents: 0), session.output.poll]
            if Glibc.poll(&polls, 2, -1) < 0, errno != EINTR { throw Failure(SystemError(call: "poll", errno: errno)) }
            session.output.check()
            var events: [InotifyEvent] = []
            do throws(SystemError) { _ = try inotify.readEvents(into: &events) } catch { throw Failure(error) }
        }
    }

    /// Prints the new records of all journals in the order of time. Of each journal only a part is in memory.
    func readAll() throws(Failure) {
        for index in readers.indices { readers[index].expectMore() }
        while true {
            for index in readers.indices where readers[index].lines.isEmpty && readers[index].mayHaveMore { try refill(index) }
            let heads = readers.indices.compactMap { index in readers[index].lines.first.map { (index, $0.at) } }
            guard let first = heads.min(by: { $0.1 < $1.1 }) else { return }
            let next = heads.lazy.filter { $0.0 != first.0 }.map(\.1).min()
            while let line = readers[first.0].lines.first, next.map({ line.at <= $0 }) ?? true {
                session.output.line(line.text)
                readers[first.0].lines.removeFirst()
            }
        }
    }

    func refill(_ index: Int) throws(Failure) {
        var reader = readers[index]
        var failure: Failure?
        do throws(Failure) {
            try reader.session.asOwner { () throws(Failure) in try reader.read() }
        } catch {
            reader.isDamaged = true
            failure = error
        }
        readers[index] = reader
        guard let failure else { return }
        // Damage in one user's journal does not end the reading of the others.
        guard reader.session.owner != nil, readers.count > 1 else {
            for line in reader.lines { session.output.line(line.text) }
            throw failure
        }
        for line in failure.lines { session.complain(reader.session.qualified(line)) }
        code = failure.code
    }
}
