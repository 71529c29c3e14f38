import Linux
import Store

extension Session {
    /// A job that a key of `unique` stands for.
    struct Submitted {
        var id: JobID
        /// False: it was there before, and nothing was submitted.
        var isNew = true
    }

    /// Drops one job; where the job has a key of `unique` that is taken, says so and returns the job that holds it.
    func submit(_ source: Source, name: String, mode: UInt32 = 0o600, input: JobDrop.Input = .nothing) throws(Failure) -> Submitted {
        let fs = try openSpoolForWriting()
        var drop = JobDrop(fs)
        guard let unique = source.unique else {
            let composed = try compose(source, name: name, mode: mode, input: input, &drop)
            try drop.publish([composed])
            return Submitted(id: composed.id)
        }
        let spool = Spool(fs, host: "")
        // One at a time, so that two who ask at once are told the same id.
        let lock = try attempt { () throws(SystemError) in try UniqueLock(spool: spoolPath) }
        defer { withExtendedLifetime(lock) {} }
        if let first = try holder(of: unique, spool) {
            complain("\(first) is there already with unique \"\(unique.key)\"; nothing was submitted")
            return Submitted(id: first, isNew: false)
        }
        let composed = try compose(source, name: name, mode: mode, input: input, &drop)
        do throws(Failure) { try attempt { () throws(SystemError) in try spool.claim(unique, for: composed.id) } } catch {
            drop.discard([composed])
            throw error
        }
        try drop.publish([composed])
        return Submitted(id: composed.id)
    }

    /// Composes a job, with `--wait` one that tells the worker of who waits for it.
    private func compose(_ source: Source, name: String, mode: UInt32, input: JobDrop.Input, _ drop: inout JobDrop) throws(Failure) -> JobDrop.Composed {
        guard arguments.flag("wait") else { return try drop.compose(source, name: name, mode: mode) }
        let (composed, awaited) = try drop.compose(source, name: name, mode: mode, awaitedWith: input, showsOutput: !isQuiet && !isJSON)
        self.awaited = awaited
        return composed
    }

    /// The job that holds a key now; nil: none does.
    func holder(of unique: Unique, _ spool: Spool<DiskFileSystem>) throws(Failure) -> JobID? {
        guard let claim = try attempt({ () throws(SystemError) in try spool.claim(ofUnique: unique.key) }) else { return nil }
        var records = try records()
        guard let place = try reading({ () throws(JournalError) in try records.place(of: claim.id.text) }) else { return nil }
        return claim.holding == .active && place.state.isTerminal ? nil : claim.id
    }

    /// Prints the id, and with `--wait` waits for the job. One whose output is shown has its id said on standard error.
    func finishSubmission(_ job: Submitted, showing: JobWait.Showing = .nothing) throws(Failure) -> Int32 {
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
        return waits ? try wait(for: [job.id], showing: showing) : ExitCode.done
    }

    func wait(for ids: [JobID], showing: JobWait.Showing = .nothing) throws(Failure) -> Int32 {
        defer { awaited?.stopWaiting() }
        var wait = try JobWait(self, try records(), showing: showing)
        return try wait.run(ids.map(\.text))
    }
}
