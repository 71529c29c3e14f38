import Documents
import Executors
import Glibc
import Linux
import TextSearch
import WorkerProtocol

/// Slurm, by its own programs. Settings: `partition`, `account`, `qos`, `args`, `conf` (the path of slurm.conf), `path` (the directories of
/// the programs).
///
/// - A run is known by its name alone, never by its id: after a crash of slurmctld, the next job gets the id of the one that was lost.
/// - A program of Slurm that fails has said nothing about any run.
struct SlurmExecutor: Executor {
    private let settings: Table
    private let spool: String
    private let environment: [String]
    private let time: CallTime

    private static let limitMilliseconds: Int64 = 20_000
    /// Slurm's controller takes submissions of four callers faster than those of one; more are no gain.
    private static let callersMax = 4
    /// The time for which `cancel` waits for the ends of killed runs, before Slurm ends the rest of them.
    private static let forceMilliseconds: Int64 = 2000

    init(_ header: Header) {
        settings = header.settings
        spool = header.spool
        environment = Self.environment(header.settings)
        time = CallTime(header)
    }

    /// The caller's variables without those that change what Slurm's programs do.
    private static func environment(_ settings: Table) -> [String] {
        let others = ["SBATCH_", "SLURM_", "SQUEUE_", "SACCT_", "SCANCEL_", "SINFO_", "SRUN_", "SALLOC_", "LC_", "LANG="]
        var variables = ProcessEnvironment.lines.filter { line in
            line.hasPrefix("SLURM_CONF=") || !others.contains { line.utf8.starts(with: $0.utf8) }
        }
        variables.append("LC_ALL=C")
        func set(_ name: String, _ value: String) {
            variables.removeAll { $0.hasPrefix("\(name)=") }
            variables.append("\(name)=\(value)")
        }
        if let conf = settings.string("conf") { set("SLURM_CONF", conf) }
        if let path = settings.string("path") { set("PATH", path) }
        return variables
    }

    /// The variables of sbatch, which sends all of them to the job. The wrapper has the job's own, and the others are as on the node.
    private var submitEnvironment: [String] {
        let names = ["PATH", "HOME", "USER", "LOGNAME", "LC_ALL", "SLURM_CONF"]
        return environment.filter { line in names.contains { line.utf8.starts(with: "\($0)=".utf8) } }
    }

    private func run(_ words: [String]) -> Program.Outcome {
        Program.run(words, environment: environment, limitMilliseconds: time.milliseconds(atMost: Self.limitMilliseconds))
    }

    // MARK: Submitting

    func submit(_ items: Items<Submission>) -> Int32 {
        var running: [(run: Run, program: Program)] = []
        // Once the controller does not answer, nothing more is sent: what was not sent can be tried again without a question.
        var silence: String?
        func takeOne() {
            let (index, outcome) = Program.awaitOne(of: running.map(\.program))
            let run = running.remove(at: index).run
            if let id = SbatchFailure.id(in: outcome.output) { return Told.answer(.submitted(run, handle: id)) }
            let failure = SbatchFailure(status: outcome.status, errors: outcome.errors, hasRetreated: outcome.hasRetreated)
            if failure.error != .refused { silence = failure.message }
            Told.answer(.failed(run, failure.error, failure.message))
        }
        while let item = items.next() {
            while running.count >= Self.callersMax { takeOne() }
            if let silence {
                Told.answer(.failed(item.run, .later, "not sent, because of another job's answer: \(silence)"))
                continue
            }
            guard time.isLeft else {
                Told.answer(.failed(item.run, .later, CallTime.noneLeft))
                continue
            }
            do throws(UnusableItem) {
                let words = try SbatchArguments.of(item, settings: settings)
                var wrapper = Wrapper(item)
                wrapper.kept = SbatchArguments.kept
                wrapper.engineLog = SbatchArguments.engineLog(item.run)
                do throws(SystemError) {
                    let program = try Program(
                        ["sbatch"] + words, environment: submitEnvironment, input: wrapper.script,
                        limitMilliseconds: time.milliseconds(atMost: Self.limitMilliseconds), retreats: SbatchFailure.retreats)
                    running.append((item.run, program))
                } catch {
                    Told.answer(.failed(item.run, .later, "sbatch: \(error.message)"))
                }
            } catch {
                Told.answer(.failed(item.run, .refused, error.message))
            }
        }
        while !running.isEmpty { takeOne() }
        return 0
    }

    // MARK: Asking

    /// The user's jobs by name, in one query. Nil when Slurm did not answer.
    private func queue() -> [String: [SlurmJob]]? {
        let outcome = run(["squeue", "--me", "-h", "-t", "all", "-O", SlurmJob.queueFormat])
        guard outcome.isFine, let jobs = SlurmJob.queue(outcome.output) else {
            Told.person("squeue: \(outcome.isFine ? "its output is not in the format that was asked for" : outcome.said)")
            return nil
        }
        return Dictionary(grouping: jobs, by: \.name)
    }

    private func account(of names: [String]) -> (isKept: Bool, jobs: [String: [SlurmJob]]?) {
        var jobs: [SlurmJob] = []
        // The names are one argument, which has a limit.
        for start in stride(from: 0, to: names.count, by: 1000) {
            let part = names[start..<min(start + 1000, names.count)].joined(separator: ",")
            // -D: without it, only the newest job of an id is shown.
            let outcome = run([
                "sacct", "-X", "-D", "-n", "-P", "-S", "now-31days", "-u", "\(getuid())", "-o", SlurmJob.accountFormat, "--name=\(part)",
            ])
            if outcome.said.contains("accounting storage is disabled") { return (false, nil) }
            guard outcome.isFine, let rows = SlurmJob.account(outcome.output) else {
                Told.person("sacct: \(outcome.isFine ? "its output is not in the format that was asked for" : outcome.said)")
                return (true, nil)
            }
            jobs += rows
        }
        return (true, Dictionary(grouping: jobs, by: \.name))
    }

    func poll(_ runs: [Run]) -> Int32 { look(runs, positions: true) }
    func find(_ runs: [Run]) -> Int32 { look(runs, positions: false) }

    private func look(_ runs: [Run], positions wantsPositions: Bool) -> Int32 {
        guard !runs.isEmpty else { return 0 }
        guard let queue = queue() else { return 1 }
        var places: [String: Int64] = [:]
        let partitions = Set(runs.flatMap { queue[$0.name] ?? [] }.filter { $0.meaning == .pending }.compactMap(\.partition))
        if wantsPositions, !partitions.isEmpty {
            let outcome = run([
                "squeue", "-h", "-t", "PD", "-S", "-p,i", "-p", partitions.sorted().joined(separator: ","), "-o", "%A|%P",
            ])
            if outcome.isFine { places = SlurmJob.positions(outcome.output) }
        }
        let unseen = runs.filter { run in !(queue[run.name] ?? []).contains { !$0.isCopy } }.map(\.name)
        let account: (isKept: Bool, jobs: [String: [SlurmJob]]?) = unseen.isEmpty ? (false, nil) : self.account(of: unseen)
        var code: Int32 = 0
        for run in runs {
            let kept: SlurmAccount =
                !account.isKept ? .disabled : account.jobs.map { .jobs($0[run.name] ?? []) } ?? .unanswered
            guard var word = EngineWord.slurm(queue: queue[run.name] ?? [], account: kept, positions: places) else {
                code = 1
                continue
            }
            if word.exit == Wrapper.notStarted, word.reason == .failed, !FileName.isAccessible(run.startMark) {
                word.reason = .launch
                word.message = engineLog(of: run) ?? word.message
            } else if word.reason == .launch {
                let said = word.message ?? "Slurm"
                word.message = engineLog(of: run) ?? "\(said): it could not start the job; can its node see \(run.directory)?"
            } else if word.reason == .failed, word.signal != nil, let said = engineLines(of: run).first(where: SlurmJob.blamesMemory) {
                word.reason = .outOfMemory
                word.message = said
            }
            Told.answer(.state(run, word))
        }
        return code
    }

    /// The last line of what Slurm and the wrapper said.
    private func engineLog(of run: Run) -> String? { engineLines(of: run).last }

    private func engineLines(of run: Run) -> [String] {
        do throws(SystemError) {
            let text = try Directory.open(run.directory).readFile(SbatchArguments.engineLog(run), limit: 1 << 20)
            return text.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        } catch {
            return []  // Slurm could not write there, which is the reason that is told then
        }
    }

    // MARK: Ending

    func cancel(_ orders: [Order]) -> Int32 {
        // The names of the runs that have begun, or may have.
        var begun: Set<String> = []
        for order in orders {
            do throws(SystemError) {
                let marks = try LocalMarks(order.run.directory, attempt: order.run.attempt)
                if try marks.keepFromBeginning() { continue }
            } catch {
                Told.person("\(order.run.id): \(error)")
            }
            begun.insert(order.run.name)
        }
        guard let queue = queue() else {
            for order in orders { Told.answer(.failed(order.run, .later, "Slurm does not answer")) }
            return 1
        }
        func has(_ run: Run, _ isWanted: (SlurmJob) -> Bool = { $0.meaning != .ended }) -> Bool {
            (queue[run.name] ?? []).contains(where: isWanted)
        }
        // A job that never began is taken out of the queue. So is one that waits although an earlier copy of it has begun.
        var removed: [String] = []
        var waiting: [String] = []
        var asked: [String] = []
        var forced: [Run] = []
        for order in orders where has(order.run) {
            let run = order.run
            guard begun.contains(run.name) else {
                removed.append(run.name)
                continue
            }
            if has(run, { $0.meaning == .pending }) { waiting.append(run.name) }
            guard has(run, { $0.meaning == .running || $0.meaning == .open }) else { continue }
            if order.force { forced.append(run) } else { asked.append(run.name) }
        }
        var isDone = scancel([], removed)
        isDone = scancel(["--state=PENDING"], waiting) && isDone
        isDone = scancel(["--signal=TERM", "--batch"], asked) && isDone
        if !forced.isEmpty {
            isDone = scancel(["--signal=\(Wrapper.signal(forwarding: SIGKILL))", "--batch"], forced.map(\.name)) && isDone
            let left = EndMarks.await(forced, milliseconds: Self.forceMilliseconds).map(\.name)
            isDone = scancel(["--signal=KILL", "--full"], left) && isDone
            isDone = scancel([], left) && isDone
        }
        for order in orders {
            let run = order.run
            if !isDone, has(run) {
                Told.answer(.failed(run, .later, "scancel did not succeed"))
            } else {
                Told.answer(.asked(run, isGone: begun.contains(run.name) && !has(run)))
            }
        }
        return 0
    }

    /// Signals or ends jobs by their names. By a number it could be another job that got the number meanwhile: a slurmctld that was killed
    /// gives numbers again. Returns true when all of it succeeded.
    private func scancel(_ words: [String], _ names: [String]) -> Bool {
        var isFine = true
        func tell(_ sentence: String) {
            Told.person("scancel: \(sentence)")
            isFine = false
        }
        var running: [Program] = []
        func takeOne() {
            let (index, outcome) = Program.awaitOne(of: running)
            running.remove(at: index)
            if !outcome.isFine { tell(outcome.said) }
        }
        for name in names {
            while running.count >= Self.callersMax { takeOne() }
            guard time.isLeft else {
                tell(CallTime.noneLeft)
                break
            }
            do throws(SystemError) {
                let limit = time.milliseconds(atMost: Self.limitMilliseconds)
                running.append(try Program(["scancel"] + words + ["--name=\(name)"], environment: environment, limitMilliseconds: limit))
            } catch {
                tell("\(error)")
            }
        }
        while !running.isEmpty { takeOne() }
        return isFine
    }

    func signal(_ orders: [Order]) -> Int32 {
        guard let queue = queue() else { return 1 }
        for order in orders {
            let live = (queue[order.run.name] ?? []).filter { $0.meaning != .ended }
            if live.isEmpty {
                Told.answer(.asked(order.run, isGone: true))
            } else if !FileName.isAccessible("\(order.run.startMark)/pid") {
                Told.answer(.failed(order.run, .later, "it has not begun"))
            } else if scancel(["--signal=\(Wrapper.signal(forwarding: order.signal))", "--batch"], [order.run.name]) {
                Told.answer(.asked(order.run))
            } else {
                Told.answer(.failed(order.run, .later, "scancel did not succeed"))
            }
        }
        return 0
    }

    func extend(_ orders: [Order]) -> Int32 {
        guard let queue = queue() else { return 1 }
        for order in orders {
            let live = (queue[order.run.name] ?? []).filter { $0.meaning != .ended }
            guard let job = live.first else {
                Told.answer(.asked(order.run, isGone: true))
                continue
            }
            do throws(SystemError) { Told.answer(try extend(job, order.run)) } catch {
                Told.answer(.failed(order.run, .later, "\(error)"))
            }
        }
        return 0
    }

    /// The order may come again after it was carried out, so Slurm is told only what it was not told before.
    private func extend(_ job: SlurmJob, _ run: Run) throws(SystemError) -> Answer {
        let marks = try LocalMarks(run.directory, attempt: run.attempt)
        let told = "extended.\(run.attempt)"
        let before = try marks.read(told, limit: 64).flatMap { Int64(String(decoding: $0.dropLast(), as: UTF8.self)) } ?? 0
        let moved = Extension.milliseconds(try marks.read(Extension.fileName, limit: Extension.bytesMax) ?? [])
        let minutes = (moved + 59_999) / 60_000
        // A shorter limit is the wrapper's alone: Slurm's need not be close to it.
        guard minutes > before else { return .asked(run) }
        let outcome = self.run(["scontrol", "update", "JobId=\(job.id)", "TimeLimit=+\(minutes - before)"])
        let isDenied = outcome.said.contains("denied")
        guard outcome.isFine || isDenied else { return .failed(run, .later, outcome.said) }
        try marks.replace(told, Array("\(minutes)\n".utf8))
        guard isDenied else { return .asked(run) }
        return .failed(run, .refused, "only operators of Slurm may raise a job's limit: \(outcome.said)")
    }

    /// The directory is shared, so the output is there already. The exit code is that of an unknown verb, which is not called again.
    func logs(_ runs: [Run]) -> Int32 { 2 }

    // MARK: Checking

    func check() -> Int32 {
        let version = run(["sbatch", "--version"])
        guard version.isFine else {
            Told.answer(.check("reachable", isFine: false, "sbatch: \(version.said)"))
            return 0
        }
        let conf = run(["scontrol", "show", "config"])
        let name = String(decoding: version.output.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard conf.isFine else {
            Told.answer(.check("reachable", isFine: false, "\(name): \(conf.said)"))
            return 0
        }
        Told.answer(.check("reachable", isFine: true, name))
        let lines = String(decoding: conf.output, as: UTF8.self).split(separator: "\n")
        func value(_ key: String) -> String {
            guard let line = lines.first(where: { $0.hasPrefix("\(key) ") }) else { return "" }
            return line.split(separator: "=", maxSplits: 1).last.map { String($0.drop { $0 == " " }) } ?? ""
        }
        let tracking = value("ProctrackType")
        if tracking.hasSuffix("pgid") || tracking.hasSuffix("linuxproc") {
            Told.answer(.check(
                "processes", isFine: false,
                "ProctrackType is \(tracking): what a job starts in a session of its own may outlive the job; proctrack/cgroup ends it"))
        }
        let isKept = !value("AccountingStorageType").hasSuffix("none") && !value("AccountingStorageType").isEmpty
        Told.answer(.check(
            "accounting", isFine: true,
            isKept ? "kept" : "none: how a job without an end mark ended is known for MinJobAge, \(value("MinJobAge")), only"))
        if let key = SbatchArguments.unknownSetting(settings) {
            Told.answer(.check("settings", isFine: false, "[executors.slurm] has the unknown key \"\(key)\""))
        }
        checkNodes()
        return 0
    }

    /// The number of seconds within which a node must be free for the check.
    private static let checkSeconds = 10
    /// srun's words when none was.
    private static let busy = "Requested nodes are busy"

    /// Has a node read, write and remove a file in the directory of the running jobs, with the settings that jobs are submitted with.
    private func checkNodes() {
        let (running, name) = ("\(spool)/running", ".check-\(String(UInt64.random(in: .min ... .max), radix: 16))")
        func failed(_ why: String) { Told.answer(.check("shared", isFine: false, why)) }
        let places: [String]
        do throws(UnusableItem) { places = try SbatchArguments.places(settings) } catch { return failed(error.message) }
        do throws(SystemError) {
            let directory = try Directory.open(running)
            try directory.writeFile(name, Array("\(name)\n".utf8))
            defer { try? directory.unlink(name) }  // the node has removed it
            checkNode("\(running)/\(name)", token: name, places, failed)
        } catch { failed("\(error)") }
    }

    private func checkNode(_ path: String, token: String, _ places: [String], _ failed: (String) -> Void) {
        let script = """
            s=0
            if test "$(cat "$1" 2>/dev/null)" != "$2"; then s=1
            elif ! (: > "$1.node" && rm "$1.node" "$1") 2>/dev/null; then s=2; fi
            echo $s $(date +%s) $(uname -n)
            """
        let options = ["--quiet", "--immediate=\(Self.checkSeconds)", "--time=1", "--export=NONE", "--chdir=/", "--ntasks=1"]
        let before = Clock.now() / 1000
        let outcome = Program.run(
            ["srun"] + options + places + ["/bin/sh", "-c", script, "sh", path, token],
            environment: environment, limitMilliseconds: time.milliseconds(atMost: 25_000))
        let words = String(decoding: outcome.output, as: UTF8.self).split { $0 == " " || $0 == "\n" }
        guard outcome.isFine, words.count == 3, let time = Int64(words[1]) else {
            guard outcome.status == nil || !outcome.said.contains(Self.busy) else {
                let why = "not looked at: no node was free within \(Self.checkSeconds) seconds. \(outcome.said)"
                return Told.answer(.check("shared", isFine: true, why))
            }
            return failed("no node can look: srun \(outcome.status == nil ? "did not end in time" : "failed"): \(outcome.said)")
        }
        let after = Clock.now() / 1000
        switch words[0] {
        case "0": Told.answer(.check("shared", isFine: true, "node \(words[2]) sees \(spool) and writes there"))
        case "1": failed("node \(words[2]) does not see \(spool), or may not enter it, or has another directory of that name")
        default: failed("node \(words[2]) sees \(spool), and cannot write there")
        }
        let difference = time < before ? before - time : max(0, time - after)
        Told.answer(.check("clock", isFine: difference <= 60, "node \(words[2]) differs by \(difference) s"))
    }
}

extension Table {
    fileprivate func string(_ key: String) -> String? { if case .string(let text)? = self[key]?.kind { text } else { nil } }
}
