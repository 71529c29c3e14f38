import Glibc
import Synchronization

/// What the program does; see its `main.swift`.
package struct SimulatorCommand {
    private var seeds: UInt64 = 1000
    private var from: UInt64 = 1
    private var steps = 150
    private var one: UInt64?
    private var journalRecords: Int?
    private var isWrong = false

    package init(_ arguments: some Sequence<String>) {
        var words = Array(arguments)[...]
        while let word = words.popFirst() {
            if word == "--forever" {
                seeds = .max / 2
                from = UInt64(time(nil)) &* 1_000_000
                continue
            }
            guard let value = words.popFirst().flatMap({ UInt64($0) }) else {
                isWrong = true
                return
            }
            switch word {
            case "--seeds": seeds = value
            case "--from": from = value
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
            print("usage: Simulator [--seeds N] [--from SEED] [--steps N] [--seed SEED] [--forever] [--journal RECORDS]")
            return 2
        }
        if let journalRecords { return turnBits(records: journalRecords) }
        if let one {
            guard let failure = Shrinking.shrink(Step.plan(one, count: steps)) else {
                print("seed \(one) passes")
                return 0
            }
            _ = Run(failure.steps, isTold: true).perform()
            print(failure)
            return 1
        }
        let totals = Totals()
        let next = Atomic<UInt64>(from)
        let until = from &+ seeds
        parallel {
            while totals.failed == nil {
                let seed = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard seed < until else { return }
                totals.add(seed, Run.seed(seed, steps: steps))
            }
        }
        print(totals.text)
        guard let failed = totals.failed else { return 0 }
        print("seed \(failed.seed) failed: \(failed.why)")
        print("again: Simulator --seed \(failed.seed) --steps \(steps)")
        return 1
    }

    private func turnBits(records: Int) -> Int32 {
        do {
            var journal = try JournalBits(records: records)
            journal.turn(step: 1, wholeStep: 4999)
            print("\(journal.records) records, \(journal.turned) bits turned, \(journal.unseen.isEmpty ? "each seen" : "unseen: \(journal.unseen)")")
            return journal.unseen.isEmpty ? 0 : 1
        } catch {
            print("\(error)")
            return 1
        }
    }

    /// The same on every processor.
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
        var sum = Outcome()
        var failed: (seed: UInt64, why: String)?
    }

    private let sums = Mutex(Sums())

    func add(_ seed: UInt64, _ outcome: Outcome) {
        sums.withLock { sums in
            sums.seeds += 1
            sums.sum.began += outcome.began
            sums.sum.succeeded += outcome.succeeded
            sums.sum.scheduledRuns += outcome.scheduledRuns
            sums.sum.cuts += outcome.cuts
            sums.sum.kills += outcome.kills
            sums.sum.faults += outcome.faults
            if let why = outcome.violation, sums.failed.map({ seed < $0.seed }) ?? true { sums.failed = (seed, why) }
        }
    }

    var failed: (seed: UInt64, why: String)? { sums.withLock { $0.failed } }

    var text: String {
        sums.withLock { sums in
            let sum = sums.sum
            return "\(sums.seeds) seeds: \(sum.began) tries begun, \(sum.succeeded) succeeded, \(sum.scheduledRuns) of them scheduled; "
                + "\(sum.cuts) power cuts, \(sum.kills) kills, \(sum.faults) faults"
        }
    }
}
