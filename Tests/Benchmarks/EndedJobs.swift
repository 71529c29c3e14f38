import Linux

/// Watches the ends of a spool's jobs by inotify(7) on `done/` and `failed/`.
final class EndedJobs {
    private let inotify: Inotify
    private let failedWatch: Int32
    private let spool: String
    private let system: System
    /// The ids of the ended jobs, in the order of their ends.
    private(set) var ids: [String] = []

    /// While more jobs than this are missing, events are read at intervals, because this process would take time from those that
    /// it measures.
    private static let manyJobs = 100
    private static let lookMilliseconds = 5

    init(_ suite: Suite, spool: String) throws {
        self.spool = spool
        system = suite.system
        inotify = try Inotify()
        _ = try inotify.add("\(spool)/done", .movedTo)
        failedWatch = try inotify.add("\(spool)/failed", [.movedTo, .created])
    }

    /// Waits until `count` jobs have ended in all. Throws if one fails.
    func wait(for count: Int, from daemon: DaemonUnderTest, until deadline: Deadline) throws {
        var events: [InotifyEvent] = []
        while ids.count < count {
            if count - ids.count > Self.manyJobs { try system.pause(milliseconds: Self.lookMilliseconds) }
            guard try daemon.wait(for: inotify.descriptor.raw, until: deadline, "end \(count) jobs (\(ids.count) did)")
            else { continue }
            events.removeAll(keepingCapacity: true)
            if try inotify.readEvents(into: &events) { throw Trouble.failed("inotify lost events") }
            for event in events {
                guard event.watch != failedWatch else { throw Trouble.failed("\(event.name) failed; see its status.json") }
                ids.append(event.name)
            }
        }
    }
}
