import Glibc
import Linux
import Store

/// The journals of a spool: one, or in everybody's spool for root that of each user, too, in the order of time as far as it is known.
final class JournalView {
    private let session: Session
    private let inotify: Inotify
    private var readers: [JournalCursor] = []
    private var code = ExitCode.done

    init(_ session: Session) throws(Failure) {
        self.session = session
        inotify = try attempt { () throws(SystemError) in try Inotify() }
        let asked = [session.arguments.value("id"), session.arguments.value("task")].compactMap(\.self)
        let named = asked.lazy.compactMap { UserPart.split($0).owner }.first
        let parts = try EverybodysSpool.users(session)
        if let named, !parts.contains(where: { $0.owner?.name == named }) { throw .notFound("\(named) has nothing in \(session.spoolPath)") }
        // A task without a user's name before it is root's.
        let isOwn = named == nil && session.arguments.value("task") != nil
        for part in [session] + parts where named == nil ? part === session || !isOwn : part.owner?.name == named {
            if try !session.tolerating(part, { () throws(Failure) in try self.open(part) }) { code = ExitCode.failed }
        }
    }

    func open(_ part: Session) throws(Failure) {
        // Before reading, so that nothing is missed between.
        try attempt { () throws(SystemError) in _ = try self.inotify.add("\(part.spoolPath)/\(Layout.journal)", [.movedTo, .modified]) }
        readers.append(try JournalCursor(part))
    }

    func run() throws(Failure) -> Int32 {
        let follows = session.arguments.flag("follow")
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

    /// Prints what has come in all of them, in the order of time. Of each, a part at a time is in memory.
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
        // A user's journal is that user's trouble.
        guard reader.session.owner != nil, readers.count > 1 else {
            for line in reader.lines { session.output.line(line.text) }
            throw failure
        }
        for line in failure.lines { session.complain(reader.session.qualified(line)) }
        code = failure.code
    }
}
