import Glibc
import Store
import Synchronization

/// The simulator's command line. See `main.swift`.
package struct SimulatorCommand {
    private var seeds: UInt64 = 1000
    private var from: UInt64 = 1
    private var steps = 150
    private var one: UInt64?
    private var journalRecords: Int?
    private var isForever = false
    private var bug: SimulatedDisk.Bug?
    private var isWrong = false

    package init(_ arguments: some Sequence<String>) {
        var words = Array(arguments)[...]
        var first: UInt64?
        defer { from = first ?? (isForever ? UInt64(clamping: time(nil)) &* 1_000_000 : 1) }
        while let word = words.popFirst() {
            if word == "--forever" {
                isForever = true
                continue
            }
            if word == "--bug", let bug = words.popFirst().flatMap(SimulatedDisk.Bug.init(rawValue:)) {
                self.bug = bug
                continue
            }
            guard let value = words.popFirst().flatMap({ UInt64($0) }) else {
                isWrong = true
                return
            }
            switch word {
            case "--seeds": seeds = value
            case "--from": first = value
            case "--steps": steps = Int(clamping: min(value, 1_000_000))
            case "--seed": one = value
            case "--journal": journalRecords = Int(clamping: min(value, 1_000_000))
            default: isWrong = true
            }
        }
    }

    /// Returns the exit code.
    package func run() -> Int32 {
        if isWrong {
            print(
                "usage: Simulator [--seeds N] [--from SEED] [--steps N] [--seed SEED] [--forever] [--bug NAME] "
                    + "[--journal RECORDS]\nbugs: \(SimulatedDisk.Bug.allCases.map(\.rawValue).joined(separator: " "))")
            return 2
        }
        if let journalRecords { return turnBits(records: journalRecords) }
        if let one {
            guard let failure = Shrinking.shrink(Step.plan(one, count: steps), bug: bug) else {
                print("seed \(one) passes")
                return 0
            }
            _ = Run(failure.steps, bug: bug, isTold: true).perform()
            print(failure)
            return 1
        }
        let totals = Totals()
        let next = Atomic<UInt64>(from)
        let until: UInt64? = isForever ? nil : from &+ seeds
        parallel {
            while true {
                let seed = next.wrappingAdd(1, ordering: .relaxed).oldValue
                if let until, seed >= until { return }
                let outcome = Run.seed(seed, steps: steps, bug: bug)
                totals.add(outcome)
                if outcome.violation != nil { tell(seed) }
                if isForever, seed % 10_000 == 0 { Self.say("\(Self.clock()) seed \(seed): \(totals.text)") }
            }
        }
        print(totals.text)
        return totals.failed == 0 ? 0 : 1
    }

    /// Prints a failing seed with the fewest steps that still fail.
    private func tell(_ seed: UInt64) {
        let failed = Shrinking.shrink(Step.plan(seed, count: steps), bug: bug)
        let failure = failed.map { "\($0)" } ?? "it does not fail again"
        let options = bug.map { " --bug \($0)" } ?? ""
        Self.say("seed \(seed) failed: \(failure)\nagain: Simulator --seed \(seed) --steps \(steps)\(options)")
    }

    /// Prints a line at once, also when the output is a file.
    private static func say(_ text: String) {
        print(text)
        fflush(nil)
    }

    private static func clock() -> String { Instant(milliseconds: Int64(time(nil)) * 1000).rfc3339 }

    private func turnBits(records: Int) -> Int32 {
        do {
            var journal = try JournalBits(records: records)
            journal.turn(step: 1, wholeStep: 4999)
            let unseen = journal.unseen.isEmpty ? "each seen" : "unseen: \(journal.unseen)"
            print("\(journal.records) records, \(journal.turned) bits turned, \(unseen)")
            return journal.unseen.isEmpty ? 0 : 1
        } catch {
            print("\(error)")
            return 1
        }
    }

    /// Runs `body` on as many threads as there are processors.
    private func parallel(_ body: @Sendable () -> Void) {
        withoutActuallyEscaping(body) { body in
            let work = Work(body: body)
            let threads = (0..<max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))).map { _ in
                var thread = pthread_t()
                let argument = Unmanaged.passRetained(work).toOpaque()
                let code = pthread_create(&thread, nil, { pointer in
                    Unmanaged<Work>.fromOpaque(pointer!).takeRetainedValue().body()
                    return nil
                }, argument)
                precondition(code == 0, "a thread can be made")
                return thread
            }
            for thread in threads { pthread_join(thread, nil) }
        }
    }

    private final class Work: Sendable {
        let body: @Sendable () -> Void

        init(body: @escaping @Sendable () -> Void) { self.body = body }
    }
}

/// The sums over all seeds.
private final class Totals: Sendable {
    private struct Sums {
        var seeds = 0
        var failed = 0
        var sum = Outcome()
    }

    private let sums = Mutex(Sums())

    func add(_ outcome: Outcome) {
        sums.withLock { sums in
            sums.seeds += 1
            if outcome.violation != nil { sums.failed += 1 }
            sums.sum.began += outcome.began
            sums.sum.succeeded += outcome.succeeded
            sums.sum.scheduledRuns += outcome.scheduledRuns
            sums.sum.cuts += outcome.cuts
            sums.sum.kills += outcome.kills
            sums.sum.faults += outcome.faults
        }
    }

    var failed: Int { sums.withLock { $0.failed } }

    var text: String {
        sums.withLock { sums in
            let sum = sums.sum
            return "\(sums.seeds) seeds, \(sums.failed) failed: \(sum.began) tries begun, \(sum.succeeded) succeeded, "
                + "\(sum.scheduledRuns) of them scheduled; \(sum.cuts) power cuts, \(sum.kills) kills, \(sum.faults) faults"
        }
    }
}
