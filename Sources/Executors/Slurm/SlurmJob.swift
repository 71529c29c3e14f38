import ExecutorProtocol
import TextSearch

/// A job as one of Slurm's programs shows it in one line.
public struct SlurmJob: Sendable, Equatable {
    public var id: String
    public var name: String
    /// The state in Slurm's word: `RUNNING`, `CANCELLED by 0`.
    public var state: String
    /// Slurm's reason for waiting or for the end: `Resources`. Nil for none.
    public var reason: String?
    public var host: String?
    public var partition: String?
    public var exit: Int32?
    public var signal: Int32?

    public init(
        id: String, name: String, state: String, reason: String? = nil, host: String? = nil, partition: String? = nil, exit: Int32? = nil,
        signal: Int32? = nil
    ) {
        self.id = id
        self.name = name
        self.state = state
        self.reason = reason
        self.host = host
        self.partition = partition
        self.exit = exit
        self.signal = signal
    }

    public var meaning: EngineState { SlurmState.meaning(of: state).state }

    /// A second copy of a try. It found the start mark of the first and ended at once, so its end says nothing of the run.
    public var isCopy: Bool { meaning == .ended && exit == Wrapper.alreadyStarted && (signal ?? 0) == 0 }

    /// True for slurmstepd's words when it kills a job for its memory (JobAcctGatherParams=OverMemoryKill). Slurm calls that end FAILED.
    public static func blamesMemory(_ line: String) -> Bool { line.contains("slurmstepd") && line.contains("exceeded memory limit") }

    /// The columns of `squeue -h -t all`. The name is the last column, because the name of another job may contain the separator.
    public static let queueFormat = "JobID:|,State:|,Reason:|,exit_code:|,BatchHost:|,Partition:|,Name:"
    /// The columns of `sacct -X -n -P`.
    public static let accountFormat = "JobIDRaw,State,ExitCode,NodeList,Reason,JobName"

    /// The jobs in squeue's output. Nil when a line is not of this format, because nothing of such an output can be trusted.
    public static func queue(_ output: [UInt8]) -> [SlurmJob]? {
        rows(output, fields: 7).map { rows in
            rows.map { row in
                let status = Int32(row[3]) ?? 0
                return SlurmJob(
                    id: row[0], name: row[6], state: row[1], reason: word(row[2]), host: word(row[4]), partition: word(row[5]),
                    exit: status >> 8 & 0xFF, signal: status & 0x7F)
            }
        }
    }

    /// The jobs in sacct's output.
    public static func account(_ output: [UInt8]) -> [SlurmJob]? {
        rows(output, fields: 6).map { rows in
            rows.map { row in
                let codes = row[2].split(separator: ":")
                return SlurmJob(
                    id: row[0], name: row[5], state: row[1], reason: word(row[4]), host: word(row[3]), partition: nil,
                    exit: codes.first.flatMap { Int32($0) }, signal: codes.count > 1 ? Int32(codes[1]) : nil)
            }
        }
    }

    private static func rows(_ output: [UInt8], fields: Int) -> [[String]]? {
        var rows: [[String]] = []
        for line in output.split(separator: UInt8(ascii: "\n")) {
            let row = line.split(separator: UInt8(ascii: "|"), maxSplits: fields - 1, omittingEmptySubsequences: false)
            guard row.count == fields, row[0].first.map({ $0 >= 0x30 && $0 <= 0x39 }) == true else { return nil }
            rows.append(row.map { String(decoding: $0, as: UTF8.self) })
        }
        return rows
    }

    /// Nil for Slurm's words for nothing.
    private static func word(_ text: String) -> String? {
        let text = String(text.drop { $0 == " " })
        return ["", "None", "none", "n/a", "(null)", "None assigned"].contains { $0 == text } ? nil : text
    }

    /// The number of jobs before each one among those that wait in its partition, by the lines `ID|PARTITION` in the order of priority.
    public static func positions(_ output: [UInt8]) -> [String: Int64] {
        var waiting: [String: Int64] = [:]
        var places: [String: Int64] = [:]
        for line in output.split(separator: UInt8(ascii: "\n")) {
            let row = line.split(separator: UInt8(ascii: "|"), maxSplits: 1)
            guard row.count == 2 else { continue }
            let partition = String(decoding: row[1], as: UTF8.self)
            places[String(decoding: row[0], as: UTF8.self)] = waiting[partition, default: 0]
            waiting[partition, default: 0] += 1
        }
        return places
    }
}

/// The accounting's answer.
public enum SlurmAccount: Sendable {
    /// The cluster keeps no accounting, so the queue alone is the answer.
    case disabled
    case unanswered
    case jobs([SlurmJob])
}

extension EngineWord {
    /// Slurm's word about the run with this name. Nil when the accounting did not answer, so that nothing is known.
    ///
    /// `queue` and `account` hold jobs of this name only. An id is never looked at: after a crash of slurmctld another job may have it. The
    /// accounting says only how jobs ended: it keeps a job that slurmctld has forgotten as RUNNING for ever.
    public static func slurm(queue: [SlurmJob], account: SlurmAccount, positions: [String: Int64] = [:]) -> EngineWord? {
        func rank(_ job: SlurmJob) -> Int {
            switch job.meaning {
            case .running: 2
            case .pending: 1
            default: 0
            }
        }
        if let job = queue.filter({ $0.meaning != .ended }).max(by: { rank($0) < rank($1) }) {
            let isWaiting = job.meaning == .pending
            return EngineWord(
                job.meaning, handle: job.id, why: isWaiting ? job.reason : nil, position: isWaiting ? positions[job.id] : nil,
                host: job.host, message: job.meaning == .open ? "Slurm: \(job.state)" : nil)
        }
        if let job = queue.last(where: { $0.meaning == .ended && !$0.isCopy }) { return ended(job) }
        switch account {
        case .unanswered: return nil
        case .disabled: return EngineWord(.gone)
        case .jobs(let jobs):
            if let job = jobs.last(where: { $0.meaning == .ended && !$0.isCopy }) { return ended(job) }
            return EngineWord(.gone, message: jobs.last.flatMap { $0.isCopy ? nil : "Slurm's accounting has it as \($0.state)" })
        }
    }

    /// slurmd's error number for a script that it could not start, in the place of a signal.
    private static let launchFailure: Int32 = 53

    private static func ended(_ job: SlurmJob) -> EngineWord {
        var reason = SlurmState.meaning(of: job.state).reason
        var signal = job.signal.flatMap { (1...64).contains($0) ? $0 : nil }
        if reason == .failed, signal == launchFailure {
            reason = .launch
            signal = nil
        }
        let exit = signal == nil && (reason == .failed || reason == .completed) ? job.exit : nil
        return EngineWord(
            .ended, handle: job.id, host: job.host, exit: exit, signal: signal, reason: reason,
            message: "Slurm: \(job.state)" + (job.reason.map { ", \($0)" } ?? ""))
    }
}
