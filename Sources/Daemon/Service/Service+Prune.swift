import Scheduler
import Store

/// Records whose stay ends before the next look at all of them.
struct Expiries {
    private struct Entry: Comparable {
        let at: Instant
        let id: JobID
        let state: JobState

        static func < (a: Self, b: Self) -> Bool { a.at < b.at }
        static func == (a: Self, b: Self) -> Bool { a.at == b.at }
    }

    private var entries = Heap<Entry>()

    var next: Instant? { entries.first?.at }

    mutating func add(_ id: JobID, _ state: JobState, at instant: Instant) { entries.insert(Entry(at: instant, id: id, state: state)) }

    /// The first of those whose stay has ended, `count` at most.
    mutating func takeDue(at now: Instant, count: Int) -> [(id: JobID, state: JobState)] {
        var due: [(id: JobID, state: JobState)] = []
        while due.count < count, let first = entries.first, first.at <= now {
            entries.removeFirst()
            due.append((first.id, first.state))
        }
        return due
    }
}

/// What was put aside to be removed, some of it in each turn: how much a job has left in its directory is up to the job.
struct Removals {
    private var paths: ArraySlice<String> = []
    private var raised = 0

    /// How many names go in one turn.
    private static let namesPerTurn = 2048
    /// So many are taken for those of a path of which all went.
    private static let namesOfOne = 32

    var isEmpty: Bool { paths.isEmpty }

    mutating func add(_ path: String) { paths.append(path) }

    /// Goes on, and returns what could not be removed and why.
    mutating func step(_ fs: some FileSystem) -> [(path: String, error: SystemError)] {
        var failed: [(path: String, error: SystemError)] = []
        var left = Self.namesPerTurn
        while left > 0, let path = paths.first {
            left -= Self.namesOfOne
            do throws(SystemError) {
                guard try fs.removeTree(path, atMost: left, &raised) else { break }
            } catch {
                if error.errno != SystemError.noSuchFile { failed.append((path, error)) }
            }
            paths.removeFirst()
            raised = 0
        }
        return failed
    }
}

/// A clock that has jumped ahead may be wrong, as one is that has lost its battery until the network has told the time: all records would
/// seem to be old. So none goes for an hour after it moved by more than two days from one look to the next.
struct ClockTrial {
    private(set) var seenAt: Instant?
    private(set) var endsAt: Instant?

    private static let jumpMilliseconds: Int64 = 2 * 86_400_000
    private static let milliseconds: Int64 = 3_600_000

    /// True when it has jumped since it was last seen.
    @discardableResult
    mutating func see(_ instant: Instant) -> Bool {
        defer { seenAt = instant }
        guard let seenAt, instant.milliseconds - seenAt.milliseconds > Self.jumpMilliseconds else { return false }
        endsAt = instant.advanced(byMilliseconds: Self.milliseconds)
        return true
    }

    /// Not any more either when the clock was set back to before the jump: then that is what was wrong.
    func isUnderWay(at now: Instant) -> Bool {
        guard let endsAt else { return false }
        return now < endsAt && endsAt.milliseconds - now.milliseconds <= Self.milliseconds
    }
}

extension Service {
    static var pruneMilliseconds: Int64 { 86_400_000 }
    /// How many records are looked at between two turns.
    private static var prunePerTurn: Int { 32 }

    /// Answers to requests that were kept while no daemon ran: whoever asked has gone.
    private func removeOldAnswers() throws(SystemError) {
        let limit = now.advanced(byMilliseconds: -Self.pruneMilliseconds)
        for entry in try spool.fs.list(Layout.control) where entry.name.hasSuffix(".answer") {
            let path = "\(Layout.control)/\(entry.name)"
            guard let status = try spool.fs.status(path), status.changedNanoseconds / 1_000_000 < limit.milliseconds else { continue }
            try spool.fs.removeTreeIfThere(path)
        }
    }

    /// A daemon looks once a day at least, and what came before it is in the journal.
    private func lookAtClock() {
        let seen = clockTrial.seenAt
        guard clockTrial.see(now), let seen, let until = clockTrial.endsAt else { return }
        pruning = nil
        nextPrune = until
        log.write(.notice, "keeps-records", at: now, ["until": until.rfc3339, "why": "the clock was at \(seen.rfc3339) when it was last seen"])
    }

    /// A record's stay has ended that is to go now.
    var hasExpired: Bool { expiries.next.map { $0 <= now } ?? false && !clockTrial.isUnderWay(at: now) }

    /// A job has ended. That it goes before the next look at all records is known without looking.
    func noteExpiry(of job: Job) {
        let end = job.changedAt.advanced(byMilliseconds: job.definition.keepMilliseconds ?? world.configuration.keepMilliseconds)
        if end < nextPrune { expiries.add(job.id, job.state, at: end) }
    }

    /// Removes records whose time is up, some at a time. All are looked at once a day and when the configured stay has changed; what ends
    /// its stay before the next look is removed just then.
    func pruneSome() throws(SystemError) {
        lookAtClock()
        guard !clockTrial.isUnderWay(at: now) else { return }
        let keep = world.configuration.keepMilliseconds
        if keep != prunedKeepMilliseconds {
            prunedKeepMilliseconds = keep
            expiries = Expiries()
            nextPrune = min(nextPrune, now)
        }
        for (id, state) in expiries.takeDue(at: now, count: Self.prunePerTurn) {
            do throws(SystemError) {
                if let aside = try spool.fs.setAside(recordOf: id, state) { removals.add(aside) }
                log.write(.info, "forgotten", at: now, ["id": id.text])
            } catch {
                try notForgotten(id.text, error)
            }
        }
        if now >= nextPrune {
            nextPrune = now.advanced(byMilliseconds: Self.pruneMilliseconds)
            pruning = try PruneScan(spool.fs)
            try removeOldAnswers()
            try spool.forgetUnused { scheduler.jobs[$0] != nil }
        }
        guard let scan = pruning else { return }
        let (removed, failed) = try scan.step(Self.prunePerTurn, spool.fs, keep: keep, at: now) { id, state, end in
            if end < nextPrune { expiries.add(id, state, at: end) }
        } remove: { removals.add($0) }
        for id in removed { log.write(.info, "forgotten", at: now, ["id": id]) }
        for (id, error) in failed { try notForgotten(id, error) }
        if scan.isFinished { pruning = nil }
    }

    /// Removes some of what was put aside.
    func removeSome() throws(SystemError) {
        for (path, error) in removals.step(spool.fs) { try notForgotten(path, error) }
    }

    /// A record stays that should have gone: what its user put into it is in the way. Tomorrow it is tried again.
    func notForgotten(_ id: String, _ error: SystemError) throws(SystemError) {
        guard error.isOfOnePath else { throw error }
        log.write(.warning, "not-forgotten", at: now, ["id": id, "error": "\(error)"])
    }
}
