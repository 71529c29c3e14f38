// Many jobs that run elsewhere while a test kills what they need. Each job records its own starts, and its exit code is its own.

import Documents
import Glibc
import Linux
import TestSupport
import Testing

final class JobsUnderKills {
    /// What a job of this number is, and what the test has done to it.
    struct Job {
        let name: String
        let exit: Int
        let retries: Bool
        var wasCanceled = false
    }

    let spool: SpoolUnderTest
    private let executor: String
    private let more: (Int) -> String
    private(set) var jobs: [Job] = []
    private var dropped = 0
    private(set) var generator: SeededGenerator
    let seed: UInt64

    /// A number from the environment, for longer runs by hand.
    static func number(_ variable: String, _ usual: Int) -> Int { getenv(variable).flatMap { Int(String(cString: $0)) } ?? usual }

    /// - Parameter more: further lines of the job's file, by its number.
    init(_ spool: SpoolUnderTest, executor: String, count: Int, more: @escaping (Int) -> String = { _ in "" }) {
        self.spool = spool
        self.executor = executor
        self.more = more
        // Another one each time, unless it is given. It decides what is done; when it is done depends on the machine.
        seed = UInt64(Self.number("SPOOLD_KILL_SEED", Int.random(in: 1...999_999)))
        generator = SeededGenerator(seed: seed)
        print("\(executor): \(count) jobs, seed \(seed) (SPOOLD_KILL_SEED)")
        for index in 0..<count { jobs.append(Job(name: "job-\(index)-x", exit: index % 60, retries: index % 4 == 3)) }
    }

    func random(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

    /// Drops so many more jobs.
    func drop(_ count: Int) throws {
        for _ in 0..<count where dropped < jobs.count {
            let job = jobs[dropped]
            let ticks = random(0...12)
            let script = """
                echo "$SPOOL_TRY" >> \(spool.out)/start-\(dropped)
                echo "output of \(dropped)"
                for i in $(seq \(ticks)); do echo \(dropped) >> \(spool.out)/ticks; sleep 0.2; done
                echo "$SPOOL_TRY" >> \(spool.out)/over-\(dropped)
                exit \(job.exit)
                """
            let text = """
                command = '''
                \(script)'''
                executor = "\(executor)"
                on_crash = "\(job.retries ? "retry" : "fail")"
                \(more(dropped))

                """
            try spool.drop("\(job.name).toml", text)
            dropped += 1
        }
    }

    /// Has a job that has not ended canceled, if there is one.
    func cancelOne() throws {
        let open = try Files.list("\(spool.path)/running")
        guard !open.isEmpty else { return }
        let id = open[random(0...open.count - 1)]
        guard let name = SpoolUnderTest.name(inID: id), let index = jobs.firstIndex(where: { $0.name == name }) else { return }
        // It may end just now, and then spoolctl says so.
        jobs[index].wasCanceled = true
        _ = try spool.ctl("cancel", id)
    }

    private var isIdle: Bool { get throws { try spool.isEmptied } }

    /// Waits for so many changes in the spool and in what jobs and programs write, or until no job is left.
    func awaitChanges(_ count: Int) throws {
        var left = count
        let end = MonotonicInstant.now().advanced(byMilliseconds: 3 * guardMilliseconds)
        var events: [InotifyEvent] = []
        while left > 0 {
            events.removeAll(keepingCapacity: true)
            _ = try spool.inotify.readEvents(into: &events)
            left -= events.count
            if left <= 0 { return }
            if try isIdle { return }
            guard awaitReadable([spool.inotify.descriptor.raw], until: end) else { throw spool.failure("nothing changes") }
        }
    }

    /// Drops the rest, and waits until all jobs have ended: as long as jobs end.
    ///
    /// - Parameter repair: what an operator of the engine does meanwhile.
    func finish(repair: () throws -> Void = {}) throws {
        try drop(jobs.count)
        var last = -1
        while true {
            let ended = try ["done", "failed"].reduce(0) { try $0 + Files.list("\(spool.path)/\($1)").count }
            if try isIdle, ended >= jobs.count { return }
            let end = MonotonicInstant.now().advanced(byMilliseconds: 4 * guardMilliseconds)
            last = ended
            var events: [InotifyEvent] = []
            while try ["done", "failed"].reduce(0, { try $0 + Files.list("\(spool.path)/\($1)").count }) == last {
                events.removeAll(keepingCapacity: true)
                guard awaitReadable([spool.inotify.descriptor.raw], until: end) else { throw spool.failure("jobs do not end") }
                _ = try spool.inotify.readEvents(into: &events)
                if try isIdle { break }
                try repair()
            }
        }
    }

    struct Result {
        var faults: [String] = []
        /// The number of jobs that ended in this way.
        var outcomes: [String: Int] = [:]
        var starts = 0
        var summary: String {
            "\(starts) starts, " + outcomes.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        }
    }

    /// What is not as promised, as sentences. `justifies` says whether a try may have been lost for this reason.
    func result(justifies: (String) -> Bool) throws -> Result {
        var result = Result()
        for place in ["new", "running"] {
            for left in try Files.list("\(spool.path)/\(place)") { result.faults.append("\(place)/\(left) is left") }
        }
        let ended = Dictionary(grouping: try spool.ended()) { SpoolUnderTest.name(inID: $0.id) ?? "" }
        for (index, job) in jobs.enumerated() {
            guard let records = ended[job.name], records.count == 1, let record = records.first else {
                result.faults.append("\(job.name) has \(ended[job.name]?.count ?? 0) records")
                continue
            }
            let starts = try spool.linesNow("start-\(index)")
            let over = try spool.linesNow("over-\(index)")
            result.starts += starts.count
            result.outcomes[record.outcome.split(separator: " ").prefix(2).joined(separator: " "), default: 0] += 1
            func fault(_ what: String) {
                result.faults.append("\(record.id): \(what). It is \(record.outcome): \(record.error); starts \(starts), over \(over)")
            }
            if Set(starts).count != starts.count { fault("a try began twice") }
            if !job.retries, starts.count > 1 { fault("it was tried again") }
            if over.contains(where: { $0 != "\(record.attempt ?? 0)" }) { fault("a try that had ended was tried again") }
            switch record.reason {
            case nil, "exit":
                if record.exitCode != job.exit { fault("not its exit code") }
                if starts.last != record.attempt.map({ "\($0)" }) { fault("its last try never began") }
                if try record.stdout != "output of \(index)\n" { fault("not its output") }
            case "canceled":
                if !job.wasCanceled { fault("nobody canceled it") }
            case "lost":
                if !justifies(record.error) { fault("lost without a reason") }
                // An engine may cancel what waits.
                if !starts.contains("\(record.attempt ?? 0)"), !record.error.contains("canceled at its engine") {
                    fault("lost, and it never began")
                }
                if over.contains("\(record.attempt ?? 0)") { fault("its exit code was lost") }
            default:
                fault("an end that nobody made")
            }
        }
        return result
    }
}
