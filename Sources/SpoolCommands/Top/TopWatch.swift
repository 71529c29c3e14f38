import Linux
import Store

/// What `top` is woken by, inotify(7): the spool's directories, the directories of jobs that run, and the output that is read.
final class TopWatch {
    enum Place {
        case new, running, ended(JobState), control, state, tasks, schedules
        /// Of a spool that serves everybody.
        case users
        /// The directory of a job that runs.
        case job(String)
        /// The directory of one that has ended, whose status is not there yet.
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
        _ = add(Layout.users, names, as: .users)  // not there: it serves one user
    }

    var raw: Int32 { inotify.descriptor.raw }

    /// Watches one more; nil when it has moved on, which the directories tell.
    func add(_ path: String, _ mask: InotifyMask = [.movedTo, .closedAfterWriting], as place: Place) -> Int32? {
        // Gone, or more watches than fs.inotify.max_user_watches allows: it is seen when it ends.
        guard let watch = try? inotify.add("\(spool)/\(path)", mask) else { return nil }
        places[watch] = place
        return watch
    }

    func remove(_ watch: Int32) {
        places[watch] = nil
        try? inotify.remove(watch)  // gone with its directory
    }

    /// Removes the watch of a job's directory, unless it serves for something else by now.
    func remove(_ watch: Int32, ofJob id: String) {
        if case .job(id)? = places[watch] { remove(watch) }
    }

    /// What has happened since the last look. Nil: more than the kernel keeps, and all must be looked at again.
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
    /// A name came, else it went or its content changed.
    var isArrival: Bool { !mask.isDisjoint(with: [.movedTo, .created]) }
    var isDeparture: Bool { !mask.isDisjoint(with: [.movedFrom, .deleted]) }
}
