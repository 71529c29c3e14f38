import Linux
import Store

/// The inotify(7) watches of `top`: the spool's directories, the directories of running jobs and of the first waiting ones, and the output
/// that is followed.
final class TopWatch {
    enum Place: Equatable {
        case new, running, ended(JobState), control, state, tasks, schedules
        /// The users of a shared spool.
        case users
        /// The directory of a running job.
        case job(String)
        /// The directory of a waiting job, by its name in new/.
        case waiting(String)
        /// The directory of an ended job without a status yet.
        case record(JobPlace)
        case log
    }

    private let inotify: Inotify
    private let spool: String
    private var places: [Int32: Place] = [:]

    init(spool: String) throws(Failure) {
        self.spool = spool
        inotify = try attempt { () throws(SystemError) -> Inotify in try Inotify() }
        let names: InotifyMask = [.movedTo, .movedFrom, .created, .deleted]
        let directories: [(String, InotifyMask, Place)] = [
            (Layout.new, names.union(.closedAfterWriting), .new), (Layout.running, names, .running), (Layout.done, names, .ended(.done)),
            (Layout.failed, names, .ended(.failed)), (Layout.control, names.union(.closedAfterWriting), .control),
            (Layout.state, [.movedTo, .closedAfterWriting, .modified], .state), (Layout.tasks, names.union(.closedAfterWriting), .tasks),
            (Layout.schedules, names.union(.closedAfterWriting), .schedules),
        ]
        for (directory, mask, place) in directories {
            places[try attempt { () throws(SystemError) in try inotify.add("\(spool)/\(directory)", mask) }] = place
        }
        _ = add(Layout.users, names, as: .users)  // nil in a spool of one user
    }

    var raw: Int32 { inotify.descriptor.raw }

    /// Watches one more path; nil when it has moved, which the watched directories report.
    func add(_ path: String, _ mask: InotifyMask = [.movedTo, .closedAfterWriting], as place: Place) -> Int32? {
        // The path has moved, or fs.inotify.max_user_watches is reached: the job is read again when it ends.
        guard let watch = try? inotify.add("\(spool)/\(path)", mask) else { return nil }
        places[watch] = place
        return watch
    }

    func remove(_ watch: Int32) {
        places[watch] = nil
        try? inotify.remove(watch)  // the kernel has removed it with its directory
    }

    /// Removes the watch of a job's directory, unless the job has moved and the watch is another place's now.
    func remove(_ watch: Int32, of place: Place) {
        if places[watch] == place { remove(watch) }
    }

    /// The events since the last call. Nil when the kernel's queue overflowed: then everything must be read again.
    func read() throws(Failure) -> [(place: Place, event: InotifyEvent)]? {
        var events: [InotifyEvent] = []
        let overflowed = try attempt { () throws(SystemError) in try inotify.readEvents(into: &events) }
        if overflowed { return nil }
        return events.compactMap { event in
            guard let place = places[event.watch] else { return nil }
            if event.mask.contains(.ignored) {
                places[event.watch] = nil
                return nil
            }
            return (place, event)
        }
    }
}

extension InotifyEvent {
    /// True when a name was added to a directory.
    var isArrival: Bool { !mask.isDisjoint(with: [.movedTo, .created]) }
    var isDeparture: Bool { !mask.isDisjoint(with: [.movedFrom, .deleted]) }
}
