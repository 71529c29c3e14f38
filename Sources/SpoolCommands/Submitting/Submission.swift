import Linux
import Store

extension Session {
    /// The result of a submission.
    struct Submitted {
        var id: JobID
        /// False when a job with the same `unique` key existed, and nothing was submitted.
        var isNew = true
        /// The text that was submitted.
        var source: Source
    }

    /// Submits one job. When another job holds its `unique` key, reports that and returns the other job.
    func submit(_ source: Source, name: String, mode: UInt32 = 0o600, input: JobDrop.Input = .nothing) throws(Failure) -> Submitted {
        let fs = try openSpoolForWriting()
        var drop = JobDrop(fs)
        guard let unique = source.unique else {
            let composed = try compose(source, name: name, mode: mode, input: input, &drop)
            try drop.publish([composed])
            return Submitted(id: composed.id, source: source)
        }
        let spool = Spool(fs, host: "")
        // A lock, so that two calls at the same time return the same id.
        let lock = try attempt { () throws(SystemError) in try UniqueLock(spool: spoolPath) }
        defer { withExtendedLifetime(lock) {} }
        if let first = try holder(of: unique, spool) {
            complain("\(first) exists already with unique \"\(unique.key)\"; nothing was submitted")
            return Submitted(id: first, isNew: false, source: source)
        }
        let composed = try compose(source, name: name, mode: mode, input: input, &drop)
        do throws(Failure) { try attempt { () throws(SystemError) in try spool.claim(unique, for: composed.id) } } catch {
            drop.discard([composed])
            throw error
        }
        try drop.publish([composed])
        return Submitted(id: composed.id, source: source)
    }

    /// Composes a job; with `--wait`, together with the files by which the worker knows of the waiting command.
    private func compose(
        _ source: Source, name: String, mode: UInt32, input: JobDrop.Input, _ drop: inout JobDrop
    ) throws(Failure) -> JobDrop.Composed {
        guard arguments.flag("wait") else { return try drop.compose(source, name: name, mode: mode) }
        let (composed, awaited) = try drop.compose(source, name: name, mode: mode, awaitedWith: input, showsOutput: !isQuiet && !isJSON)
        self.awaited = awaited
        return composed
    }

    /// The job that holds a `unique` key now; nil when none does.
    func holder(of unique: Unique, _ spool: Spool<DiskFileSystem>) throws(Failure) -> JobID? {
        guard let claim = try attempt({ () throws(SystemError) in try spool.claim(ofUnique: unique.key) }) else { return nil }
        var records = try records()
        guard let place = try reading({ () throws(JournalError) in try records.place(of: claim.id.text) }) else { return nil }
        return claim.holding == .active && place.state.isTerminal ? nil : claim.id
    }

    /// Prints the id, and with `--wait` waits for the job. When the job's output is shown, the id goes to standard error.
    /// - Parameter start: the instant before which the job does not start, when there is one.
    func finishSubmission(_ job: Submitted, start: Instant? = nil, showing: JobWait.Showing = .nothing) throws(Failure) -> Int32 {
        let waits = arguments.flag("wait")
        var showing = showing
        if !waits || isQuiet || isJSON { showing = .nothing }
        if case .output = showing {
            if job.isNew { complain("submitted \(job.id)") }
        } else {
            if job.isNew { output.noteChange("queued as \(job.id)") }
            printID(job.id.text)
        }
        output.flush()
        if job.isNew, let start { remarkStart(start) }
        if waits { return try wait(for: [job.id], showing: showing) }
        if job.isNew { try remarkOnStart(of: job.source) }
        return ExitCode.done
    }

    /// Says on standard error when a job starts: `starts Sun 29 Nov 18:00 CET, in 1d4h`. Warns of an instant that has passed.
    func remarkStart(_ instant: Instant) {
        guard !isQuiet, !isJSON else { return }
        if instant > now {
            complain("starts \(spoken(instant))")
        } else if now.milliseconds - instant.milliseconds >= Self.passedMilliseconds {
            complain("\(TimeText.spoken(instant, callerZone, now: now)) is in the past: the job starts at once")
        }
    }

    /// Scripts compute instants in whole minutes and seconds, and one that has just passed means now.
    private static let passedMilliseconds: Int64 = 60_000

    func wait(for ids: [JobID], showing: JobWait.Showing = .nothing) throws(Failure) -> Int32 {
        defer { awaited?.stopWaiting() }
        var wait = try JobWait(self, try records(), showing: showing)
        return try wait.run(ids.map(\.text))
    }
}
