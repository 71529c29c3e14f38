// One run of the simulator: its steps, then an orderly end. Every rule is checked after each start of the daemon and at the end.

import Daemon
import Glibc
import Store

package struct Outcome: Equatable {
    /// The violated invariant, and the step at which it was found.
    package var violation: String?
    package var step = 0
    package var began = 0
    package var succeeded = 0
    package var cuts = 0
    package var kills = 0
    package var faults = 0
    /// The number of due times that became runs.
    package var scheduledRuns = 0
}

package final class Run {
    let world: SimulatedWorld
    let people: People
    private let steps: [Step]
    private var powerFailsAtEnd: UInt64?
    /// The invariant that was violated when a command began.
    private var violationAtBegin: Violation?
    private var outcome = Outcome()
    /// The reasons why written data may be gone: failed syncs, or people who took the journal away.
    private var brokenBy: Breaker?

    private enum Breaker { case disk, people }

    /// - Parameter isTold: writes the daemon's log and each change of the disk to standard output.
    /// - Parameter refusesSomeStarts: the world cannot start some jobs.
    package init(_ steps: [Step], bug: SimulatedDisk.Bug? = nil, isTold: Bool = false, refusesSomeStarts: Bool = false) {
        self.steps = steps
        world = SimulatedWorld(bug: bug, isTold: isTold)
        world.refusesSomeStarts = refusesSomeStarts
        people = People(world)
        world.onBegin = { [unowned self] job in
            do throws(Violation) { try BeginCheck(world, people, job).perform() } catch { violationAtBegin = violationAtBegin ?? error }
        }
    }

    /// A whole seed.
    package static func seed(_ seed: UInt64, steps: Int = 150, bug: SimulatedDisk.Bug? = nil) -> Outcome {
        Run(Step.plan(seed, count: steps), bug: bug).perform()
    }

    package func perform() -> Outcome {
        do throws(Violation) {
            try begin()
            for (index, step) in steps.enumerated() {
                outcome.step = index
                world.disk.trace?("\(world.now.rfc3339) step \(step)")
                try take(step)
                if [.turn, .pass].contains(step.kind) { try whatWaitsIsExplained() }
                try DeadlineCheck(world).perform()
                try afterwards()
                if let violationAtBegin { throw violationAtBegin }
                try lookAsReader()
            }
            outcome.step = steps.count
            try end()
            try lookAsReader()
        } catch {
            outcome.violation = error.description
        }
        world.log.flush()
        outcome.began = world.begun.values.reduce(0, +)
        outcome.succeeded = world.succeeded.count
        outcome.scheduledRuns = world.begun.keys.count { $0.id.contains("-task") }
        return outcome
    }

    private func whatWaitsIsExplained() throws(Violation) {
        guard let service = world.service, !service.hasWork, !service.hasUnplaced, service.troubles.isEmpty, !service.scheduler.isHeld,
            !service.isEnding, world.millisecondsToWake.map({ $0 > 0 }) ?? true
        else { return }
        try HoldCheck(scheduler: service.scheduler, configuration: world.configuration, now: world.now).whatWaitsIsHeld()
    }

    private func lookAsReader() throws(Violation) {
        if let seen = world.disk.seen { throw Violation(seen) }
    }

    private func take(_ step: Step) throws(Violation) {
        let pick = step.pick
        switch step.kind {
        case .start: try begin()
        case .turn: try world.turn()
        case .work: _ = world.work(pick)
        case .engine: _ = world.engine.step(pick, isTroubled: true)
        case .stop: try world.stopDaemon()
        case .drain: try world.drain(stoppingJobs: pick % 3 == 0)
        case .rotate: try world.rotate()
        case .pass:
            if let left = world.millisecondsToWake { world.pass(milliseconds: min(left, 600_000)) }
            try world.turn()
        case .wait: world.pass(milliseconds: Int64(pick % 90_000))
        case .clock:
            // An hour forward, or some minutes back.
            world.setClock(byMilliseconds: pick % 2 == 0 ? Int64(pick % 3_600_000) : -Int64(pick % 300_000))
        case .clockByYears:
            // No clock shows a time before 1970.
            let years = 1 + Int64(pick >> 8 % 50)
            world.setClock(wrongByYears: world.isClockWrong ? 0 : pick % 2 == 0 ? years : -years)
        case .roots: world.isRoots = pick % 2 == 0
        case .drop, .submit, .dropFar, .dropSlowly, .finishSlow, .dropBad, .dropScript, .makeExecutable, .edit, .editRecord, .remove,
        .retry, .cancel,
        .pause, .resume,
            .defineTask, .editTask, .spoilTask, .removeTask, .moveRunning, .moveBack:
            people.act(step.kind, pick)
        // Nobody can mend a removed journal while the disk refuses the one that is written from memory.
        case .takeJournal where brokenBy == .disk: break
        case .syncFault where brokenBy == .people, .writebackFails where brokenBy == .people: break
        case .takeJournal:
            brokenBy = .people
            try world.takeJournal(pick)
        case .configure: world.configure(pick)
        case .editCrontab: world.editCrontab(pick)
        case .interject:
            let kinds: [Step.Kind] = [.drop, .submit, .edit, .remove, .retry, .cancel, .pause, .editTask]
            let kind = kinds[Int(pick >> 32) % kinds.count]
            world.disk.interruption = (Int(pick % 12), { [people] in people.act(kind, pick >> 8) })
            try world.turn()
            world.disk.interruption = nil
        case .kill:
            outcome.kills += 1
            world.killDaemon()
        case .killSoon:
            outcome.kills += 1
            world.disk.fault = .init(pick % 2 == 0 ? .kill : .killWithin, after: Int(pick % 40))
        case .killWorker: world.killWorker(pick)
        case .cutPower: cutPower(pick)
        case .cutPowerSoon:
            world.disk.fault = .init(pick % 2 == 0 ? .kill : .killWithin, after: Int(pick % 30))
            powerFailsAtEnd = pick
        case .fault:
            outcome.faults += 1
            world.disk.fault = .init(Self.error(pick), after: Int(pick >> 16 % 30))
        case .lookFault:
            outcome.faults += 1
            world.disk.lookFault = (pick % 2 == 0 ? EIO : EMFILE, times: 1 + Int(pick >> 8 % 3), after: Int(pick >> 16 % 40))
        case .syncFault:
            brokenBy = .disk
            outcome.faults += 1
            world.disk.syncFault = Int(pick % 8)
        case .writebackFails:
            brokenBy = .disk
            outcome.faults += 1
            world.disk.failWriteback()
        case .forget where world.isUp || world.disk.isFailureUntold || world.processes.contains { $0.isAlive && $0.job != nil }:
            // Nothing is promised about data that a job or the daemon reads before the failure was reported.
            break
        case .forget:
            var random = Random(pick)
            world.disk.forgetFailed(&random)
            people.memoryWasNeeded()
        case .crashLoop: try crashLoop(pick)
        case .overflow: world.overflow()
        case .recoverTwice: try recoverTwice()
        }
    }

    /// A fault strikes once, a few times, or until somebody stops the daemon.
    private static func error(_ pick: UInt64) -> SimulatedDisk.Fault.Kind {
        let errors: [Int32] = [ENOSPC, ENOSPC, EIO, EMFILE]
        let times = pick >> 12 % 8 == 0 ? 100 : 1 + Int(pick >> 8 % 5)
        return .error(errors[Int(pick % 4)], times: times)
    }

    /// Starts the daemon while the same fault strikes again during its recovery.
    private func crashLoop(_ pick: UInt64) throws(Violation) {
        var random = Random(pick)
        for _ in 0...random.below(4) where !world.isUp {
            let one = random.next()
            let kinds = [.kill, .killWithin, .killWithin, Self.error(one)]
            world.disk.fault = .init(kinds[Int(one >> 32 % 4)], after: random.below(20))
            try begin()
            if !world.isUp, random.below(2) == 0 { cutPower(one) }
        }
        world.disk.fault = nil
    }

    /// Cuts the power at the point where the fault ended the daemon.
    private func afterwards() throws(Violation) {
        guard let pick = powerFailsAtEnd else { return }
        if !world.isUp {
            powerFailsAtEnd = nil
            cutPower(pick)
        } else if world.disk.fault == nil {
            powerFailsAtEnd = nil
        }
    }

    private func cutPower(_ pick: UInt64) {
        outcome.cuts += 1
        var random = Random(pick)
        world.cutPower(&random)
        people.powerWasCut()
    }

    private func begin() throws(Violation) {
        guard !world.isUp else { return }
        if try world.startDaemon() { try Check(world, people).afterStart() }
    }

    /// Checks that a second recovery changes nothing.
    private func recoverTwice() throws(Violation) {
        // A recovery ends when a sync reports what the kernel could not write.
        guard !world.isUp, !world.disk.hasUntoldFailure else { return }
        world.disk.fault = nil
        world.disk.lookFault = nil
        world.disk.syncFault = nil
        for round in 1...2 {
            let before = world.disk.shape()
            let mended = try world.recoverOnly()
            if round == 2, mended > 0 || world.disk.shape() != before {
                throw Violation("a second recovery changed \(mended) things: \(before) became \(world.disk.shape())")
            }
        }
    }

    /// Ends all trouble, so that everything can end.
    private func end() throws(Violation) {
        world.disk.fault = nil
        world.disk.lookFault = nil
        world.disk.syncFault = nil
        world.disk.interruption = nil
        powerFailsAtEnd = nil
        people.finishAll()
        world.setClock(wrongByYears: 0)
        for scope in ["pause", "pause-task0", "pause-task1", "pause-task2"] { people.lift(scope) }
        var idleTurns = 0
        var engineSteps = 0
        for _ in 0..<20_000 {
            try begin()
            try world.turn()
            if let violationAtBegin { throw violationAtBegin }
            if world.work(0) { continue }
            engineSteps += 1
            if world.engine.step(UInt64(engineSteps), isTroubled: false) { continue }
            guard let service = world.service else { continue }
            if service.hasWork { continue }
            let waits = service.hasUnplaced || service.hasUnready || service.scheduler.jobs.values.contains { $0.schedule == nil }
            // The daemon reads the events of its own moves in the second idle turn.
            idleTurns = waits || world.now < people.latest ? 0 : idleTurns + 1
            if idleTurns == 2 { break }
            if idleTurns == 0, let left = world.millisecondsToWake { world.pass(milliseconds: left) }
        }
        try Check(world, people).atEnd()
        try growOld()
    }

    /// Moves the clock on until records are removed because their time is up.
    private func growOld() throws(Violation) {
        world.pass(milliseconds: world.configuration.keepMilliseconds + 86_400_000)
        let since = world.now
        try begin()
        try world.turn()
        // A clock that has moved so far is believed after an hour.
        world.pass(milliseconds: 3_600_000)
        repeat {
            try begin()
            try world.turn()
        } while world.service?.hasWork ?? false
        try Check(world, people).afterPruning(since: since)
    }
}

extension SimulatedDisk {
    /// Every path below the directories of jobs, with its kind.
    func shape() -> [String] {
        var lines: [String] = []
        func walk(_ path: String, _ node: Node) {
            for (name, entry) in node.entries.sorted(by: { $0.key < $1.key }) {
                let path = "\(path)/\(name)"
                lines.append(entry.kind == .directory ? "\(path)/" : "\(path) \(entry.bytes.count)")
                walk(path, entry)
            }
        }
        for state in JobState.allCases {
            let path = Layout.directory(state)
            // The directory is missing before the spool is made.
            if let node = try? node(path) { walk(path, node) }
        }
        return lines
    }
}
