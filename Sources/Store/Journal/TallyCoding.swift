// Converts the numbers of the record `counted` to fields of a journal line and back. A number that is missing is 0, and one that this
// program does not know is left out: the other numbers stay what they were.

extension JournalLine {
    mutating func append(_ tally: Tally) {
        field("started", tally.started)
        field("retries", tally.retries)
        if tally.startsAhead > 0 { field("starts_ahead", tally.startsAhead) }
        if tally.retriesAhead > 0 { field("retries_ahead", tally.retriesAhead) }
        field("ended", Self.list(Tally.results, tally.ended))
        field("dues", Self.list(Tally.DueOutcome.allCases.map(\.rawValue), tally.dues))
        field("cpu_ms", tally.processorMilliseconds)
        field("durations", Self.list(tally.durations))
        field("delays", Self.list(tally.startDelays))
    }

    /// `done:12,exit:3`, without those that are 0.
    private static func list(_ names: [String], _ counts: [Int64]) -> String {
        zip(names, counts).filter { $1 > 0 }.map { "\($0):\($1)" }.joined(separator: ",")
    }

    /// The number of values in each range, then their sum: `0,4,1,17000`.
    private static func list(_ histogram: Tally.Histogram) -> String {
        (histogram.counts + [histogram.sum]).map(String.init).joined(separator: ",")
    }
}

extension JournalFields {
    var tally: Tally {
        var tally = Tally(
            started: number("started"), retries: number("retries"), startsAhead: number("starts_ahead"),
            retriesAhead: number("retries_ahead"), ended: named("ended"), dues: named("dues"), processorMilliseconds: number("cpu_ms"))
        if let (counts, sum) = histogram("durations") { tally.durations.take(counts, sum: sum) }
        if let (counts, sum) = histogram("delays") { tally.startDelays.take(counts, sum: sum) }
        return tally
    }

    /// A number that no program wrote counts as 0.
    private static func number(_ text: some StringProtocol) -> Int64 {
        Int64(text).flatMap { (0...Tally.max).contains($0) ? $0 : nil } ?? 0
    }

    private func number(_ key: String) -> Int64 { Self.number(self[key] ?? "") }

    private func named(_ key: String) -> [String: Int64] {
        var numbers: [String: Int64] = [:]
        for entry in (self[key] ?? "").split(separator: ",") {
            let parts = entry.split(separator: ":")
            if parts.count == 2 { numbers[String(parts[0])] = Self.number(parts[1]) }
        }
        return numbers
    }

    private func histogram(_ key: String) -> (counts: [Int64], sum: Int64)? {
        let numbers = (self[key] ?? "").split(separator: ",").map { Self.number($0) }
        return numbers.last.map { (Array(numbers.dropLast()), $0) }
    }
}
