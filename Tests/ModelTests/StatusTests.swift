import Model
import TestSupport
import Testing

@Suite struct StatusTests {
    static let keys = [
        "id", "name", "title", "description", "task", "schedule", "state", "reason", "error", "try", "tries", "priority", "queue", "tags",
        "payload", "due", "created_at", "scheduled_at", "started_at", "ended_at", "changed_at", "not_before", "deadline", "exit_code",
        "signal", "progress", "result", "usage", "delay_ms", "pid", "host",
    ]

    private var full: JobStatus {
        var status = JobStatus(id: "20261121T020000.000Z-a-k3f9", name: "a", due: now, createdAt: now, host: "h")
        status.task = "a"
        status.schedule = "s"
        status.state = .failed
        status.reason = .timeout
        status.error = "a \"quoted\"\nline \u{1}"
        status.attempt = 2
        status.tries = 3
        status.priority = -5
        status.queue = "q"
        status.tags = ["x", "y\\"]
        status.payload = Array(#"{"a":[1,null]}"#.utf8)
        status.scheduledAt = now
        status.startedAt = now.advanced(byMilliseconds: 12)
        status.endedAt = now.advanced(byMilliseconds: 1012)
        status.notBefore = now
        status.deadline = now
        status.exitCode = 124
        status.signal = 15
        status.usage = Usage(wallMilliseconds: 1000, userMilliseconds: 7, systemMilliseconds: 61_234, maxRSSBytes: 1 << 40)
        status.pid = 4711
        status.title = "Nächtlich, \"alles\""
        status.description = "what it is for"
        status.progress = Progress(fraction: 0.29, message: "so far", at: now)
        status.result = Array(#"{"rows":[1,2.50]}"#.utf8)
        return status
    }

    @Test func everyKeyIsAlwaysThere() throws {
        let empty = JobStatus(id: "i", name: "n", due: now, createdAt: now, host: "h")
        for status in [empty, full] {
            let table = try object(status.json())
            for key in Self.keys { #expect(table[key] != nil, "\(key)") }
            #expect(status.json().last == UInt8(ascii: "\n") && status.json().filter { $0 == UInt8(ascii: "\n") }.count == 1)
        }
    }

    @Test func whatIsUnknownIsNull() throws {
        let table = try object(JobStatus(id: "i", name: "n", due: now, createdAt: now, host: "h").json())
        for key in [
            "title", "description", "task", "schedule", "reason", "error", "payload", "scheduled_at", "started_at", "ended_at",
            "not_before",
            "deadline", "exit_code", "signal", "progress", "result", "usage", "delay_ms", "pid",
        ] {
            guard case .null? = table[key]?.kind else {
                Issue.record("\(key) is not null")
                continue
            }
        }
    }

    @Test func valuesComeBackAsWhatTheyAre() throws {
        let table = try object(full.json())
        func text(_ key: String) -> String? { if case .string(let text)? = table[key]?.kind { text } else { nil } }
        func number(_ key: String) -> Int64? { if case .integer(let number)? = table[key]?.kind { number } else { nil } }
        #expect(text("id") == "20261121T020000.000Z-a-k3f9" && text("task") == "a" && text("schedule") == "s")
        #expect(text("state") == "failed" && text("reason") == "timeout" && text("error") == "a \"quoted\"\nline \u{1}")
        #expect(number("try") == 2 && number("tries") == 3 && number("priority") == -5 && text("queue") == "q")
        #expect(number("exit_code") == 124 && number("signal") == 15 && number("pid") == 4711 && number("delay_ms") == 12)
        for key in ["due", "created_at", "scheduled_at", "changed_at", "not_before", "deadline"] {
            #expect(text(key) == "2026-11-21T02:00:00.000Z", "\(key)")
        }
        #expect(text("started_at") == "2026-11-21T02:00:00.012Z" && text("ended_at") == "2026-11-21T02:00:01.012Z")
        guard case .array(let tags)? = table["tags"]?.kind, tags.count == 2, case .string("y\\") = tags[1].kind else {
            Issue.record("tags")
            return
        }
        #expect(JSON.write(try #require(table["payload"])) == #"{"a":[1,null]}"#)
        let json = String(decoding: full.json(), as: UTF8.self)
        #expect(text("description") == "what it is for" && text("title") == "Nächtlich, \"alles\"")
        #expect(json.contains(#""progress":{"fraction":0.29,"message":"so far","at":"2026-11-21T02:00:00.000Z"}"#))
        #expect(json.contains(#""result":{"rows":[1,2.50]}"#))
        guard case .table(let usage)? = table["usage"]?.kind else {
            Issue.record("usage")
            return
        }
        #expect(usage.entries.map(\.key) == ["wall_s", "user_s", "sys_s", "max_rss_bytes"])
        #expect(
            String(decoding: full.json(), as: UTF8.self).contains(
                #""usage":{"wall_s":1.000,"user_s":0.007,"sys_s":61.234,"max_rss_bytes":1099511627776}"#))
    }

    @Test("Percentages are whole and never round up", arguments: [(0.0, 0), (0.999, 99), (1.0, 100), (0.5, 50)])
    func percent(_ row: (fraction: Double, percent: Int)) {
        #expect(Progress(fraction: row.fraction, message: nil, at: now).percent == row.percent)
    }
}
