import Model
import TestSupport
import Testing

@Suite struct WaitTests {
    static let table: [(String, [Int64])] = [
        ("\"30s\"", [30_000, 30_000, 30_000, 30_000]),
        ("{initial = \"1s\", factor = 2, max = \"5s\"}", [1000, 2000, 4000, 5000, 5000]),
        ("{initial = \"10s\", factor = 10}", [10_000, 100_000, 1_000_000, 3_600_000, 3_600_000]),
        ("{initial = \"10s\", max = \"2s\"}", [2000, 2000]),
        ("{initial = 0, factor = 1000}", [0, 0, 0]),
    ]

    @Test(arguments: table)
    func theWaitGrowsToItsMaximum(backoff: String, waits: [Int64]) throws {
        let rule = try readJob("command = \":\"\nbackoff = \(backoff)").backoff
        #expect((1...waits.count).map { rule.milliseconds(afterTry: $0, seed: .max) } == waits)
    }

    @Test func aMillionthWaitIsKnownAtOnce() throws {
        let rule = try readJob("command = \":\"\nbackoff = {factor = 1000, max = \"10000 years\"}").backoff
        #expect(rule.milliseconds(afterTry: .max, seed: 0) == 315_576_000_000_000)
    }

    @Test func jitterSpreadsAWaitByItsFractionAndNoFurther() throws {
        let rule = try readJob("command = \":\"\nbackoff = {initial = \"100s\", jitter = 0.2}").backoff
        #expect(rule.milliseconds(afterTry: 1, seed: 0) == 80_000)
        #expect(rule.milliseconds(afterTry: 1, seed: .max) >= 119_999)
        var random = SeededGenerator(seed: 1)
        let waits = (0..<1000).map { _ in rule.milliseconds(afterTry: 1, seed: random.next()) }
        #expect(waits.allSatisfy { (80_000...120_000).contains($0) })
        #expect(waits.min()! < 85_000 && waits.max()! > 115_000)
    }

    static let failures: [(String, RetryRule.Kind, Int?, Bool)] = [
        ("", .exit, 1, true), ("", .timeout, nil, true), ("", .spawn, nil, true), ("", .lost, nil, false),
        ("retry_on = \"lost\"", .lost, nil, true), ("retry_on = \"lost\"", .exit, 1, false),
        ("retry_on = [75]", .exit, 75, true), ("retry_on = [75]", .exit, 1, false),
        ("retry_on = [75]", .timeout, 75, false), ("retry_on = [\"exit\"]", .exit, 1, true),
        ("retry_on = []", .exit, 1, false), ("retry_on = [\"signal\", 3]", .signal, nil, true),
    ]

    @Test(arguments: failures)
    func aFailureLeadsToAnotherTryWhereAskedFor(line: String, kind: RetryRule.Kind, code: Int?, again: Bool) throws {
        #expect(try readJob("command = \":\"\n\(line)").retryOn.includes(kind, exitCode: code) == again)
    }
}
