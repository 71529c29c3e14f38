import Glibc
import Linux
import Store

/// Wakes the command when something happens to jobs (inotify(7)). An event only tells when to read again; the directories tell what is
/// true.
final class JobWatch {
    private let inotify: Inotify
    private let spool: String
    private var directories: Set<Int32> = []

    /// Watches the directories that jobs enter and leave. The caller reads the directories after this, so no change is missed.
    init(spool: String) throws(Failure) {
        self.spool = spool
        let inotify = try attempt { () throws(SystemError) -> Inotify in try Inotify() }
        var watches: Set<Int32> = []
        for directory in [Layout.new, Layout.running, Layout.done, Layout.failed] {
            let path = "\(spool)/\(directory)"
            let watch = try attempt { () throws(SystemError) in
                try inotify.add(path, [.movedTo, .movedFrom, .created, .deleted])
            }
            watches.insert(watch)
        }
        directories = watches
        self.inotify = inotify
    }

    /// Watches one more file or directory. A missing one is not an error.
    func add(_ path: String, _ changes: InotifyMask = [.modified, .closedAfterWriting, .movedTo, .created]) {
        // ENOENT: the job has moved, and the watched directories report that.
        _ = try? inotify.add("\(spool)/\(path)", changes)
    }

    /// Waits for an event about one of `names` (any name when empty), for an event on an added path, or until one of `others` is ready.
    /// False after `milliseconds` without any.
    func wait(for names: Set<String>, or others: [pollfd] = [], milliseconds: Int64? = nil) throws(Failure) -> Bool {
        let deadline = milliseconds.map { MonotonicInstant.now().advanced(byMilliseconds: $0) }
        while true {
            let rest = deadline.map { $0.millisecondsLeft() }
            var polls = [pollfd(fd: inotify.descriptor.raw, events: Int16(POLLIN), revents: 0)] + others
            let count = Glibc.poll(&polls, nfds_t(polls.count), Int32(clamping: rest ?? -1))
            if count < 0, errno != EINTR { throw Failure(SystemError(call: "poll", errno: errno)) }
            if count == 0, let rest, rest < Int64(Int32.max) { return false }
            if count > 0, polls.dropFirst().contains(where: { $0.revents != 0 }) { return true }
            guard count > 0 else { continue }
            var events: [InotifyEvent] = []
            let overflowed = try attempt { () throws(SystemError) in try inotify.readEvents(into: &events) }
            if overflowed { return true }
            for event in events where !event.mask.contains(.ignored) {
                guard directories.contains(event.watch), !names.isEmpty else { return true }
                if names.contains(event.name) || names.contains(Self.stem(event.name)) { return true }
            }
        }
    }

    private static func stem(_ file: String) -> String {
        file.hasSuffix(".toml") || file.hasSuffix(".json") ? String(file.dropLast(5)) : file
    }
}
