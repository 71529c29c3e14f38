import Glibc
import Linux
import TestSupport

/// A record of the journal, with the parts that tests use: its kind, its plain fields, and those that it leaves out because its id tells
/// them.
struct JournalRecord {
    var kind: String
    var fields: [String: String] = [:]

    init?(_ line: Substring) {
        let words = line.split(separator: " ")
        guard words.count >= 4 else { return nil }
        kind = String(words[3])
        for word in words.dropFirst(4) {
            guard let equals = word.firstIndex(of: "=") else { continue }
            fields[String(word[..<equals])] = String(word[word.index(after: equals)...])
        }
        guard let id = fields["id"], let dash = id.lastIndex(of: "-") else { return }
        switch kind {
        case "accepted":
            // 20261121T020000.000Z-NAME-k3f9ab
            let (date, time) = (Array(id.prefix(8)), Array(id.dropFirst(9).prefix(10)))
            let day = "\(String(date[0..<4]))-\(String(date[4..<6]))-\(String(date[6..<8]))"
            let clock = "\(String(time[0..<2])):\(String(time[2..<4])):\(String(time[4...]))"
            fields["due"] = fields["due"] ?? "\(day)T\(clock)Z"
            fields["name"] = fields["name"] ?? String(id[id.index(id.startIndex, offsetBy: 21)..<dash])
        case "started", "ended": fields["try"] = fields["try"] ?? "1"
        default: break
        }
    }
}

extension SpoolUnderTest {
    var journalFiles: [String] {
        get throws { try Files.list("\(path)/journal").filter { $0.hasSuffix(".log") }.map { "\(path)/journal/\($0)" } }
    }

    /// All records in the segments that exist.
    func journal() throws -> [JournalRecord] {
        try journalFiles.flatMap { try Files.text($0).wholeLines.compactMap { JournalRecord($0) } }
    }

    /// The result of each due time of a task that is due every second: `run`, or the reason why it did not run. Fails when a due time is
    /// accounted for twice.
    func accounts(ofTask task: String) throws -> [Int: String] {
        var accounts: [Int: String] = [:]
        func account(_ second: Int, _ what: String) throws {
            if let earlier = accounts[second] { throw failure("the due time \(second) is \(earlier), and \(what)") }
            accounts[second] = what
        }
        for record in try journal() where record.fields["task"] == task {
            switch record.kind {
            case "accepted":
                guard record.fields["schedule"] != nil, let due = record.fields["due"] else { continue }
                try account(try second(due), "run")
            case "skipped":
                guard let from = record.fields["from"], let through = record.fields["through"], let why = record.fields["why"]
                else { throw failure("a skipped record without its times: \(record)") }
                let seconds = try second(from)...(try second(through))
                for second in seconds { try account(second, why) }
                if let count = record.fields["count"] {
                    guard Int(count) == seconds.count else { throw failure("\(record) counts wrong") }
                }
            default: break
            }
        }
        return accounts
    }

    /// The whole second since the epoch of `2026-11-21T02:00:00.999Z`.
    func second(_ instant: String) throws -> Int {
        let numbers = instant.prefix(19).split { !$0.isNumber }.compactMap { Int32($0) }
        guard numbers.count == 6 else { throw failure("\"\(instant)\" is no instant") }
        var time = tm()
        (time.tm_year, time.tm_mon, time.tm_mday) = (numbers[0] - 1900, numbers[1] - 1, numbers[2])
        (time.tm_hour, time.tm_min, time.tm_sec) = (numbers[3], numbers[4], numbers[5])
        return timegm(&time)
    }
}

/// Waits for an instant of the wall clock, in milliseconds since the epoch. The event that the test waits for is this instant.
func awaitClock(_ milliseconds: Int64) throws {
    let timer = try Timer()
    // Repeated in case the clock is set meanwhile.
    while Clock.now() < milliseconds {
        _ = try timer.set(milliseconds: milliseconds)
        guard awaitReadable([timer.descriptor.raw], until: MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)) else {
            throw WaitFailed(description: "the clock does not reach \(milliseconds)")
        }
        _ = try timer.read()
    }
}
