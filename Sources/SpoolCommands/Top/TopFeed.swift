// The spool as `top` sees it. Everything is read once, and then updated from inotify events, so the cost of a refresh depends on
// the changes and not on the size of the spool. Limits for one refresh:
//
// - the first 200 waiting jobs are read, and the others counted; 1000 running jobs are read;
// - the latest 200 ended jobs are kept; at most 50 new ones each of done/ and failed/ are read, and older ones only counted;
// - at the start, the ends of the last hour are counted among the newest 20,000 records.

import Linux
import Store

final class TopFeed {
    private let session: Session
    private let fs: DiskFileSystem
    private var records: JobRecords<DiskFileSystem>
    let watch: TopWatch
    private(set) var snapshot: Snapshot
    let daemon: TopDaemon
    private let dues: TopDues
    private let waiting: TopWaiting
    private var running: [String: Snapshot.Running] = [:]
    private var runningNames: Set<String> = []
    private var runningWatches: [String: Int32] = [:]
    private var changedRunning: Set<String> = []
    private var ended: [String: JobStatus] = [:]
    /// The watches of records that have no status yet.
    private var recordWatches: [String: Int32] = [:]
    /// Ended jobs that are not read yet, the latest last.
    private var unread: [JobState: [String]] = [:]
    private var arePausesChanged = true
    /// True when users may have been added or removed.
    var areUsersChanged = true
    /// The names of requests whose answers have arrived.
    var answers: [String] = []

    static let waitingMax = 200
    private static let runningMax = 1000
    private static let endedMax = 200
    private static let readMax = 50
    private static let countedMax = 20_000

    init(_ session: Session) throws(Failure) {
        self.session = session
        fs = try session.openSpool()
        records = try session.records()
        watch = try TopWatch(spool: session.spoolPath)
        snapshot = Snapshot(now: session.now, zone: session.callerZone, spool: session.spoolPath)
        daemon = TopDaemon(session, fs)
        dues = TopDues(session, fs)
        waiting = TopWaiting(fs, watch)
        try load()
    }

    /// When the whole spool is read again, by the monotonic clock, because not all of it is watched; nil when all is.
    var pollAt: MonotonicInstant? { watch.shortage == nil ? nil : loadedAt.advanced(byMilliseconds: Self.pollMilliseconds) }
    private var loadedAt = MonotonicInstant.now()
    static let pollMilliseconds: Int64 = 2000

    /// True when a known change has not been read yet.
    var isBehind: Bool { unread.values.contains { !$0.isEmpty } }

    // MARK: The whole spool

    private func load() throws(Failure) {
        loadedAt = .now()
        runningNames = Set(try names(Layout.running).filter { $0.kind == .directory }.map(\.name))
        for id in runningWatches.keys where !runningNames.contains(id) { unwatch(id) }
        running = [:]
        changedRunning = runningNames
        waiting.load(try names(Layout.new))
        unread = [:]
        ended = [:]
        try loadEnded()
        arePausesChanged = true
        areUsersChanged = true
        daemon.isChanged = true
        dues.reload()
    }

    private func names(_ directory: String) throws(Failure) -> [DirectoryEntry] {
        let fs = fs
        return try attempt { () throws(SystemError) in try fs.jobNames(in: directory) }
    }

    /// Reads the latest ended jobs, by the change times of their directories: a directory changes last when the status is written.
    private func loadEnded() throws(Failure) {
        var found: [(id: String, state: JobState)] = []
        let fs = fs
        for state in [JobState.done, .failed] {
            found += try names(state.rawValue).lazy.filter { $0.kind == .directory }.map { ($0.name, state) }
        }
        let isCut = found.count > Self.countedMax
        if isCut {
            found.sort { $0.id > $1.id }
            found.removeLast(found.count - Self.countedMax)
        }
        var rates = EndRates()
        var latest: [(at: Int64, id: String, state: JobState)] = []
        let hourAgo = Clock.now() - EndRates.hourSeconds * 1000
        var oldest = Int64.max
        for (id, state) in found {
            // The record was removed meanwhile.
            guard let status = try? fs.status("\(state.rawValue)/\(id)") else { continue }
            let at = status.modifiedNanoseconds / 1_000_000
            oldest = min(oldest, at)
            if at > hourAgo { rates.add(at: Instant(milliseconds: at), isFailure: state == .failed) }
            latest.append((at, id, state))
        }
        snapshot.rates = rates
        snapshot.ratesAreLeast = isCut && oldest > hourAgo
        latest.sort { ($0.at, $0.id) > ($1.at, $1.id) }
        for one in latest.prefix(Self.endedMax) { try readEnded(one.id, one.state) }
    }

    // MARK: Changes

    /// Takes the pending events, without reading the files that they are about.
    func drain() throws(Failure) {
        let isPollDue = pollAt.map { $0 <= .now() } ?? false
        // Watched first, and read then, so that no change is missed.
        if isPollDue { try watch.retry() }
        guard let events = try watch.read(), !isPollDue else { return try load() }
        for (place, event) in events {
            switch place {
            case .new:
                guard isOfJob(event, in: Layout.new) else { continue }
                waiting.take(event)
            case .running:
                guard event.mask.contains(.isDirectory), isOfJob(event, in: Layout.running) else { continue }
                if event.isArrival {
                    runningNames.insert(event.name)
                    changedRunning.insert(event.name)
                } else {
                    runningNames.remove(event.name)
                    changedRunning.remove(event.name)
                    running[event.name] = nil
                    unwatch(event.name)
                }
            case .ended(let state):
                guard event.mask.contains(.isDirectory), isOfJob(event, in: state.rawValue) else { continue }
                event.isArrival ? noteEnd(event.name, state) : forget(event.name, state)
            case .control:
                if event.name.hasPrefix("pause") { arePausesChanged = true }
                if event.isArrival, event.name.hasSuffix(".answer") { answers.append(String(event.name.dropLast(7))) }
            case .state: daemon.isChanged = true
            case .tasks:
                waiting.forgetDefinitions()
                dues.change(file: event.name)
            case .schedules: dues.reload()
            case .job(let id):
                let names = [Layout.statusFile, Layout.progressFile, Extension.fileName]
                if names.contains(event.name) { changedRunning.insert(id) }
            case .waiting(let name): waiting.reread(name)
            case .record(let place): unread[place.state, default: []].append(place.id)
            case .users: areUsersChanged = true
            case .log: break
            }
        }
    }

    private func isOfJob(_ event: InotifyEvent, in directory: String) -> Bool {
        guard !Name.isUnfinished(event.name) else { return false }
        // A removed or unreadable entry counts as a job's: reading it then finds nothing.
        return (try? fs.isStranger(event.name, in: directory, isDirectory: event.mask.contains(.isDirectory))) != true
    }

    private func noteEnd(_ id: String, _ state: JobState) {
        snapshot.rates.add(at: Instant(milliseconds: Clock.now()), isFailure: state == .failed)
        unread[state, default: []].append(id)
        if let count = unread[state]?.count, count > 4 * Self.readMax { unread[state]?.removeFirst(count - Self.readMax) }
        if let name = JobID(id)?.name { dues.noteEnd(ofJobNamed: name) }
    }

    private func forget(_ id: String, _ state: JobState) {
        unread[state]?.removeAll { $0 == id }
        if ended[id]?.state == state { ended[id] = nil }
        if let watch = recordWatches.removeValue(forKey: id) { self.watch.remove(watch) }
    }

    private func unwatch(_ id: String) {
        if let watch = runningWatches.removeValue(forKey: id) { self.watch.remove(watch, of: .job(id)) }
    }

    // MARK: Reading

    /// Reads the changes, and updates the snapshot.
    func refresh() throws(Failure) {
        snapshot.now = Instant(milliseconds: Clock.now())
        try daemon.refresh(&snapshot)
        if arePausesChanged {
            snapshot.surroundings.pauses = try Pauses.read(fs)
            arePausesChanged = false
        }
        for id in changedRunning { try readRunning(id) }
        changedRunning = []
        snapshot.runningCount = runningNames.count
        snapshot.running = Array(running.values)
        snapshot.surroundings.running = snapshot.running.map(\.status)
        try waiting.refresh(&snapshot, &records)
        for (state, ids) in unread {
            unread[state] = ids.dropLast(Self.readMax)
            for id in ids.suffix(Self.readMax) { try readEnded(id, state) }
        }
        if ended.count > Self.endedMax {
            let latest = ended.values.sorted { ($0.endedAt ?? $0.changedAt) > ($1.endedAt ?? $1.changedAt) }
            for status in latest.dropFirst(Self.endedMax) { ended[status.id] = nil }
        }
        snapshot.ended = Array(ended.values)
        try dues.refresh(&snapshot)
    }

    private func readRunning(_ id: String) throws(Failure) {
        guard runningNames.contains(id) else { return }
        let place = JobPlace(id: id, state: .running, path: "\(Layout.running)/\(id)", isFile: false)
        if running[id] == nil {
            guard running.count < Self.runningMax else { return }
            // The watch is added before reading, so that later changes are reported.
            runningWatches[id] = watch.add(place.path, as: .job(id))
        }
        guard let record = try read(place) else { return }
        var one = Snapshot.Running(status: record.status)
        let found = records
        let fs = fs
        let (definition, extended) = try attempt { () throws(SystemError) in
            (try found.definition(at: place), try fs.extended(place.path))
        }
        one.locks = definition?.locks ?? []
        let timeout = definition?.timeoutMilliseconds ?? daemon.defaultTimeoutMilliseconds
        one.timeoutMilliseconds = timeout.map { $0.addingReportingOverflow(extended) }.map { $0.overflow ? .max : $0.partialValue }
        running[id] = one
    }

    private func readEnded(_ id: String, _ state: JobState) throws(Failure) {
        let place = JobPlace(id: id, state: state, path: "\(state.rawValue)/\(id)", isFile: false)
        guard var record = try read(place) else { return }
        if !record.isComplete || !record.status.state.isTerminal {
            // The status follows in a moment. It may have been written before the watch was added.
            recordWatches[id] = watch.add(place.path, as: .record(place))
            guard let again = try read(place) else { return }
            record = again
        }
        if record.isComplete, record.status.state.isTerminal, let done = recordWatches.removeValue(forKey: id) { watch.remove(done) }
        record.status.state = state
        ended[id] = record.status
    }

    private func read(_ place: JobPlace) throws(Failure) -> JobRecord? {
        try session.reading { () throws(JournalError) in try records.record(at: place) }
    }

    /// The record of a job, in whichever directory it is.
    func record(of id: String) throws(Failure) -> JobRecord? {
        try session.reading { () throws(JournalError) in try records.record(of: id) }
    }
}
