import Glibc
import Linux
import Store

/// Wakes when something happened to jobs, inotify(7). Events only say when to look again, never what is so.
final class JobWatch {
    private let inotify: Inotify
    private let spool: String
    private var directories: Set<Int32> = []

    /// Watches where jobs arrive and leave. A caller looks at the tree after this, so nothing falls between.
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

    /// Watches one file or directory as well; what is gone already is no error.
    func add(_ path: String, _ changes: InotifyMask = [.modified, .closedAfterWriting, .movedTo, .created]) {
        // ENOENT: it moved on, which the watched directories tell.
        _ = try? inotify.add("\(spool)/\(path)", changes)
    }

    /// Waits until something happened that concerns one of `names` (when empty: anything), or to what was added, or until
    /// one of `others` is ready. False: not within so long.
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
