import Linux
import Store

/// The inotify(7) watches of `top`: the spool's directories, the directories of running jobs and of the first waiting ones, and the output
/// that is followed. While watches or instances of inotify are short, what cannot be watched must be read again and again.
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

    private var instance: InotifyInstance?
    private let spool: String
    private var places: [Int32: Place] = [:]
    /// The reason why not all is watched; nil when all is.
    private(set) var shortage: String?

    init(spool: String) throws(Failure) {
        self.spool = spool
        try retry()
    }

    /// Watches the directories that are not watched yet. The paths of ``add(_:_:as:)`` are the caller's to add again.
    func retry() throws(Failure) {
        shortage = nil
        do throws(SystemError) { try watchDirectories() } catch {
            guard error.isOutOfWatches else { throw Failure(error) }
            shortage = error.whyNotWatched
        }
    }

    private func watchDirectories() throws(SystemError) {
        let watcher: InotifyInstance
        if let instance { watcher = instance } else { watcher = try InotifyInstance() }
        instance = watcher
        let names: InotifyMask = [.movedTo, .movedFrom, .created, .deleted]
        let directories: [(String, InotifyMask, Place)] = [
            (Layout.new, names.union(.closedAfterWriting), .new), (Layout.running, names, .running), (Layout.done, names, .ended(.done)),
            (Layout.failed, names, .ended(.failed)), (Layout.control, names.union(.closedAfterWriting), .control),
            (Layout.state, [.movedTo, .closedAfterWriting, .modified], .state), (Layout.tasks, names.union(.closedAfterWriting), .tasks),
            (Layout.schedules, names.union(.closedAfterWriting), .schedules),
        ]
        for (directory, mask, place) in directories {
            places[try watcher.inotify.add("\(spool)/\(directory)", mask)] = place
        }
        _ = add(Layout.users, names, as: .users)  // nil in a spool of one user
    }

    /// Negative, which poll(2) ignores, while there is no instance.
    var raw: Int32 { instance?.inotify.descriptor.raw ?? -1 }

    /// Watches one more path; nil when it has moved, which the watched directories report, or when watches are short.
    func add(_ path: String, _ mask: InotifyMask = [.movedTo, .closedAfterWriting], as place: Place) -> Int32? {
        guard let instance else { return nil }
        do throws(SystemError) {
            let watch = try instance.inotify.add("\(spool)/\(path)", mask)
            places[watch] = place
            return watch
        } catch {
            if error.isOutOfWatches { shortage = error.whyNotWatched }
            return nil
        }
    }

    func remove(_ watch: Int32) {
        places[watch] = nil
        try? instance?.inotify.remove(watch)  // the kernel has removed it with its directory
    }

    /// Removes the watch of a job's directory, unless the job has moved and the watch is another place's now.
    func remove(_ watch: Int32, of place: Place) {
        if places[watch] == place { remove(watch) }
    }

    /// The events since the last call. Nil when the kernel's queue overflowed: then everything must be read again.
    func read() throws(Failure) -> [(place: Place, event: InotifyEvent)]? {
        guard let instance else { return [] }
        var events: [InotifyEvent] = []
        let overflowed = try attempt { () throws(SystemError) in try instance.inotify.readEvents(into: &events) }
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
