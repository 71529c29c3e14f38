import Store
import WorkerProtocol

/// The sums of `spoolctl jobs --by`: how often the jobs of each task ran, how often they failed, and what they used.
struct JobTotals {
    /// The property by which jobs are put together.
    enum Key: String, CaseIterable { case task, name, queue }

    /// The values by which the rows can be sorted.
    enum Order: String, CaseIterable { case name, runs, failures, total, longest, cpu, memory }

    private struct Row {
        var name: String
        var runs = 0
        var failures = 0
        var totalMilliseconds: Int64 = 0
        var longestMilliseconds: Int64 = 0
        var cpuMilliseconds: Int64 = 0
        /// The most memory that one run used.
        var memoryBytes: Int64 = 0
    }

    private let key: Key
    private var rows: [String: Row] = [:]

    init(by key: Key) { self.key = key }

    /// Adds a job that has begun. Others have no run to count.
    mutating func add(_ status: JobStatus, now: Instant) {
        guard status.attempt > 0 else { return }
        let name =
            switch key {
            case .task: status.task ?? "-"
            case .name: status.name
            case .queue: status.queue
            }
        var row = rows[name] ?? Row(name: name)
        row.runs += 1
        if status.state == .failed { row.failures += 1 }
        let took = max(0, status.tookMilliseconds(now: now) ?? 0)
        row.totalMilliseconds = row.totalMilliseconds.addingSaturated(took)
        row.longestMilliseconds = max(row.longestMilliseconds, took)
        if let usage = status.usage {
            row.cpuMilliseconds = row.cpuMilliseconds.addingSaturated(usage.processorMilliseconds)
            row.memoryBytes = max(row.memoryBytes, usage.maxRSSBytes)
        }
        rows[name] = row
    }

    func write(to session: Session, order: Order, isDescending: Bool, limit: Int) {
        func value(_ row: Row) -> Int64 {
            switch order {
            case .name: 0
            case .runs: Int64(row.runs)
            case .failures: Int64(row.failures)
            case .total: row.totalMilliseconds
            case .longest: row.longestMilliseconds
            case .cpu: row.cpuMilliseconds
            case .memory: row.memoryBytes
            }
        }
        var sorted = rows.values.sorted { ($0.name) < ($1.name) }
        if order == .name, isDescending { sorted.reverse() }
        // Equal rows stay in the order of their names.
        let ranked = sorted.enumerated().sorted { one, other in
            let (a, b) = (value(one.element), value(other.element))
            return a == b ? one.offset < other.offset : (a < b) != isDescending
        }.map(\.element)
        let shown = limit > 0 ? ranked.prefix(limit) : ranked[...]
        if session.isJSON {
            return session.output.jsonArray(shown) { writer, row in
                writer.member(key.rawValue, key == .task && row.name == "-" ? nil : row.name)
                writer.member("runs", row.runs)
                writer.member("failures", row.failures)
                for (name, length) in [
                    ("total_s", row.totalMilliseconds), ("longest_s", row.longestMilliseconds), ("cpu_s", row.cpuMilliseconds),
                ] {
                    writer.key(name)
                    writer.seconds(length)
                }
                writer.member("max_rss_bytes", Int(row.memoryBytes))
            }
        }
        var table = TextTable(
            [key.rawValue.uppercased(), "RUNS", "FAILURES", "TOTAL", "LONGEST", "CPU", "MEMORY"], right: [1, 2, 3, 4, 5, 6],
            fitting: [.init(column: 0, least: 12)])
        for row in shown {
            if session.isQuiet {
                session.output.line(row.name)
                continue
            }
            table.add([
                .init(row.name), .init(String(row.runs)), .init(String(row.failures), row.failures > 0 ? .red : nil),
                .init(TimeText.short(row.totalMilliseconds)), .init(TimeText.short(row.longestMilliseconds)),
                .init(TimeText.short(row.cpuMilliseconds)), .init(TimeText.bytes(row.memoryBytes)),
            ])
        }
        if !session.isQuiet { table.write(to: session.output) }
    }
}
