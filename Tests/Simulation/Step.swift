/// One step of a run of the simulator. Its exact effect follows from `pick` and from the state of the world at that time, so that a run
/// without some of its steps is also a valid run.
package struct Step: Sendable, CustomStringConvertible {
    package enum Kind: String, CaseIterable, Sendable {
        // The daemon and its workers.
        case start, turn, work, stop, drain, rotate, roots
        // An executor and its engine.
        case dropFar, engine
        // Time.
        case pass, wait, clock, clockByYears
        // People.
        case drop, submit, dropSlowly, finishSlow, dropBad, dropScript, makeExecutable, edit, editRecord, remove, retry
        case cancel, pause, resume
        case defineTask, editTask, spoilTask, removeTask, editCrontab, configure, interject, moveRunning, moveBack, takeJournal
        // Trouble.
        case kill, killSoon, killWorker, cutPower, cutPowerSoon, fault, lookFault, syncFault, writebackFails, forget, crashLoop, overflow
        case recoverTwice
    }

    package var kind: Kind
    package var pick: UInt64

    package var description: String { "\(kind.rawValue) \(pick)" }

    private static let weights: [(Kind, Int)] = [
        (.start, 10), (.turn, 60), (.work, 60), (.stop, 2), (.drain, 2), (.rotate, 2), (.roots, 1), (.dropFar, 10), (.engine, 50),
        (.pass, 20), (.wait, 8), (.clock, 2), (.clockByYears, 2),
        (.drop, 14), (.submit, 8), (.dropSlowly, 3), (.finishSlow, 4), (.dropBad, 3), (.dropScript, 3), (.makeExecutable, 6), (.edit, 4),
        (.editRecord, 2), (.remove, 4), (.retry, 5),
        (.cancel, 6), (.pause, 2), (.resume, 4),
        (.defineTask, 8), (.editTask, 3), (.spoilTask, 2), (.removeTask, 1), (.editCrontab, 6), (.configure, 6), (.interject, 6),
        (.moveRunning, 4), (.moveBack, 2), (.takeJournal, 2),
        (.kill, 4), (.killSoon, 10), (.killWorker, 4), (.cutPower, 3), (.cutPowerSoon, 8), (.fault, 6), (.lookFault, 4),
        (.syncFault, 4), (.writebackFails, 3), (.forget, 3), (.crashLoop, 4), (.overflow, 3), (.recoverTwice, 4),
    ]

    /// The steps of a seed.
    package static func plan(_ seed: UInt64, count: Int) -> [Step] {
        var random = Random(seed)
        let total = weights.reduce(0) { $0 + $1.1 }
        return (0..<count).map { _ in
            var left = random.below(total)
            let kind = weights.first { weight in
                left -= weight.1
                return left < 0
            }
            return Step(kind: kind?.0 ?? .turn, pick: random.next())
        }
    }
}
