import Daemon
import Store

/// A crontab of the simulated machine, whose lines people edit, move, remove and spoil.
struct SimulatedCrontab {
    static let path = "/etc/crontab"
    /// Some commands, each with one time, so that no edit changes the time of a command.
    private static let times = ["* * * * *", "*/20 * * * *", "*/5 * * * *", "*/5 * * * *"]

    private var lines: [String] = []
    private var state = State.gone

    private enum State {
        case gone, there, refused
    }

    var file: CrontabFile {
        switch state {
        case .gone: CrontabFile(path: Self.path, .gone)
        case .refused: CrontabFile(path: Self.path, .refused("its mode 0666 lets others than root write to it"))
        case .there: CrontabFile(path: Self.path, .text(Array(("CRON_TZ=UTC\n" + lines.map { "\($0)\n" }.joined()).utf8), changedAt: nil))
        }
    }

    mutating func edit(_ pick: UInt64) {
        var random = Random(pick)
        let place = random.below(lines.count + 1)
        switch random.below(10) {
        case 0: state = .gone
        case 1: state = .refused
        case 2 where place < lines.count: lines.remove(at: place)
        case 3 where place < lines.count: lines[place] = "99 * * * * root spoiled\(random.below(3))"
        case 4 where place < lines.count:
            let moved = lines.remove(at: place)
            lines.insert(moved, at: random.below(lines.count + 1))
        case 5: lines.insert(["", "# A comment", "A=\(random.below(3))"][random.below(3)], at: place)
        default:
            let command = random.below(Self.times.count)
            lines.insert("\(Self.times[command]) root c\(command)", at: place)
        }
        if state != .refused || random.below(2) == 0, state != .gone || random.below(3) == 0 { state = .there }
    }

    /// Checks that each usable line is a task, and that only unusable lines keep tasks of earlier texts.
    func check(_ scheduler: Scheduler) throws(Violation) {
        var left: [String: Int] = [:]
        for task in scheduler.tasks.values where task.crontab == Self.path {
            guard task.isDefined, let table = try? task.recorded?.source.table() else { throw Violation("\(task.name) is not in force") }
            left[table.text("command") ?? "", default: 0] += 1
        }
        if state == .refused { return }
        if state == .gone, !left.isEmpty { throw Violation("the crontab is gone, and \(left) are tasks") }
        if state == .gone { return }
        for line in lines where line.hasPrefix("*") {
            let command = String(line.split(separator: " ").last ?? "")
            left[command, default: 0] -= 1
            if left[command]! < 0 { throw Violation("a line with \(command) is no task") }
        }
        let unusable = lines.count { $0.hasPrefix("99") }
        let kept = left.values.reduce(0, +)
        if kept > unusable { throw Violation("\(kept) tasks are left of earlier texts of the crontab, with \(unusable) unusable lines") }
    }
}
