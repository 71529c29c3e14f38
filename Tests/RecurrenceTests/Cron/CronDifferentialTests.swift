import struct TestSupport.SeededGenerator
import Testing

@testable import Recurrence

/// Thousands of random expressions, compared with other implementations.
@Suite struct CronDifferentialTests {
    /// A field that every implementation reads in the same way: no reversed ranges, no steps without a range, no `a-a`.
    static func field(_ low: Int, _ high: Int, star: Int, using generator: inout SeededGenerator) -> String {
        if Int.random(in: 0..<100, using: &generator) < star { return "*" }
        let items = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
            let a = Int.random(in: low..<high, using: &generator)
            let b = Int.random(in: (a + 1)...high, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: return "\(a)-\(b)"
            // Some implementations refuse a step that is longer than its range.
            case 1: return "\(a)-\(b)/\(Int.random(in: 1...(b - a), using: &generator))"
            default: return "\(a)"
            }
        }
        return items.joined(separator: ",")
    }

    struct Question {
        var expression: String
        var zone: String
        var start: Instant

        init(zones: [String], using generator: inout SeededGenerator) {
            var fields = [
                field(0, 59, star: 20, using: &generator), field(0, 23, star: 40, using: &generator),
                field(1, 31, star: 70, using: &generator), field(1, 12, star: 80, using: &generator),
                field(0, 6, star: 70, using: &generator),
            ]
            if Int.random(in: 0..<8, using: &generator) == 0 { fields[0] = "*/\(Int.random(in: 2...40, using: &generator))" }
            if Int.random(in: 0..<8, using: &generator) == 0 { fields[1] = "*/\(Int.random(in: 2...20, using: &generator))" }
            expression = fields.joined(separator: " ")
            zone = zones.randomElement(using: &generator)!
            // From 2000 to 2100, to the second.
            start = Instant(seconds: Int64.random(in: 946_684_800...4_102_444_800, using: &generator))
        }
    }

    /// The answers to each question, in seconds since 1970, from a Python program that reads lines of `expression|zone|epoch`.
    static func ask(_ program: String, _ questions: [Question]) throws -> [[Int64]] {
        let input = questions.map { "\($0.expression)|\($0.zone)|\($0.start.milliseconds / 1000)\n" }.joined()
        let output = try #require(Peer.python(program, input: input))
        let answers = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            .map { $0.split(separator: " ").compactMap { Int64($0) } }
        try #require(answers.count == questions.count)
        return answers
    }

    @Test("croniter agrees in UTC", .python("croniter"))
    func croniter() throws {
        var generator = SeededGenerator(seed: 20261121)
        let questions = (0..<3000).map { _ in Question(zones: ["UTC"], using: &generator) }
        let program = """
            import sys
            from croniter import croniter
            for line in sys.stdin:
                expression, zone, start = line.rstrip("\\n").split("|")
                it = croniter(expression, float(start), max_years_between_matches=200)
                try: print(*[int(it.get_next(float)) for _ in range(3)])
                except Exception: print()
            """
        var compared = 0
        for (question, answer) in zip(questions, try Self.ask(program, questions)) {
            // croniter finds nothing that is due less often than once in 200 years.
            guard !answer.isEmpty else { continue }
            let due = try cron(question.expression).due(after: question.start, limit: 3).map { $0.milliseconds / 1000 }
            #expect(due == answer, "\(question.expression) after \(question.start.rfc3339)")
            compared += 1
        }
        #expect(compared > 2500)
    }

    /// Berlin and New York change by an hour at 2 or 3; Kathmandu, Kolkata and UTC do not change. cronsim has faults at Lord_Howe
    /// and in gaps at midnight, which other tests cover.
    @Test("cronsim agrees where the clock changes", .python("cronsim"), .tzdata)
    func cronsim() throws {
        var generator = SeededGenerator(seed: 42)
        let zones = ["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Asia/Kolkata", "Europe/London", "UTC"]
        var questions = (0..<3000).map { _ in Question(zones: zones, using: &generator) }
        // Half of the questions start near a change: in March, April, October or November.
        for place in questions.indices where place % 2 == 0 {
            let year = Int.random(in: 2010...2036, using: &generator)
            let month = [3, 4, 10, 11].randomElement(using: &generator)!
            let day = Civil.days(year: year, month: month, day: Int.random(in: 1...28, using: &generator))
            questions[place].start = Instant(seconds: day * 86_400 + Int64.random(in: 0..<86_400, using: &generator))
            // The expression is daily, so that the change is met.
            var fields = questions[place].expression.split(separator: " ").map(String.init)
            fields[2...4] = ["*", "*", "*"]
            questions[place].expression = fields.joined(separator: " ")
        }
        let program = """
            import sys
            from datetime import datetime
            from zoneinfo import ZoneInfo
            from cronsim import CronSim
            for line in sys.stdin:
                expression, zone, start = line.rstrip("\\n").split("|")
                try:
                    it = CronSim(expression, datetime.fromtimestamp(int(start), ZoneInfo(zone)))
                    print(*[int(next(it).timestamp()) for _ in range(8)])
                except Exception: print()
            """
        var compared = 0
        for (question, answer) in zip(questions, try Self.ask(program, questions)) {
            // cronsim gives up after 50 years, and refuses days that no month has.
            guard !answer.isEmpty else { continue }
            let due = try cron(question.expression, database.zone(question.zone)).due(after: question.start, limit: 8)
                .map { $0.milliseconds / 1000 }
            #expect(due == answer, "\(question.expression) in \(question.zone) after \(question.start.rfc3339)")
            compared += 1
        }
        #expect(compared > 2000)
    }
}
