import TestSupport
import Testing

@testable import Metrics

/// The text of metrics, and reading the texts of others.
@Suite struct MetricsTests {
    private func text(_ metrics: Metrics, _ format: MetricsFormat = .prometheus) -> String {
        String(decoding: metrics.text(format), as: UTF8.self)
    }

    @Test("Names say their unit and their kind, are no other's, and each has its help")
    func families() {
        #expect(Set(MetricFamily.all.map(\.base)).count == MetricFamily.all.count)
        for family in MetricFamily.all {
            #expect(family.base.hasPrefix("spoold_") && !family.help.isEmpty && family.help.hasSuffix("."), "\(family.base)")
            #expect(family.unit.isEmpty ? !family.base.hasSuffix("seconds") : family.base.hasSuffix("_\(family.unit)"), "\(family.base)")
            #expect((family.kind == .histogram) == !family.bounds.isEmpty, "\(family.base)")
            #expect(family.help.allSatisfy { $0 != "\\" && $0 != "\n" }, "\(family.base)")
            #expect(!family.labels.contains("user") && !family.labels.contains("le"), "\(family.base)")
        }
    }

    @Test("spoold-metrics(7) has each name with its kind and its labels, and no other name")
    func manual() throws {
        let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
        let entries = String(decoding: try #require(readFile("\(root)/man/spoold-metrics.7")), as: UTF8.self)
            .split(separator: "\n").filter { $0.hasPrefix(".It Va spoold_") }
        let expected = MetricFamily.all.map { family in
            let kind = family.kind == .info ? "gauge" : family.kind.rawValue
            return ".It Va \(family.name) No \(kind)\(family.labels.map { ", label Va \($0)" }.joined())"
        }
        #expect(Set(entries.map(String.init)) == Set(expected) && entries.count == expected.count)
    }

    @Test("Samples of one family follow one another in both formats, which differ in their headers only")
    func formats() {
        var metrics = Metrics()
        metrics.add(.retries, [], .count(3))
        metrics.add(.build, ["1.2"], .count(1))
        metrics.add(.ended, ["done"], .count(4))
        metrics.add(.up, [], .truth(true))
        metrics.add(.ended, ["exit"], .count(0))
        metrics.add(.nextDue, ["t"], nil)
        #expect(
            text(metrics) == """
                # HELP spoold_up \(MetricFamily.up.help)
                # TYPE spoold_up gauge
                spoold_up 1
                # HELP spoold_build_info \(MetricFamily.build.help)
                # TYPE spoold_build_info gauge
                spoold_build_info{version="1.2"} 1
                # HELP spoold_jobs_ended_total \(MetricFamily.ended.help)
                # TYPE spoold_jobs_ended_total counter
                spoold_jobs_ended_total{result="done"} 4
                spoold_jobs_ended_total{result="exit"} 0
                # HELP spoold_retries_total \(MetricFamily.retries.help)
                # TYPE spoold_retries_total counter
                spoold_retries_total 3

                """)
        let open = text(metrics, .openMetrics).split(separator: "\n").map(String.init)
        #expect(open.last == "# EOF")
        #expect(open.contains("# TYPE spoold_build info") && open.contains("# TYPE spoold_retries counter"))
        func samples(_ lines: [String]) -> [String] { lines.filter { !$0.hasPrefix("#") } }
        #expect(samples(open) == samples(text(metrics).split(separator: "\n").map(String.init)))
    }

    @Test("A label's text adds no label and no line")
    func escapes() {
        var metrics = Metrics(user: "a\"b")
        metrics.add(.running, ["x\"} 1\n# \\ é"], .count(1))
        #expect(text(metrics).hasSuffix("\nspoold_task_running{task=\"x\\\"} 1\\n# \\\\ é\",user=\"a\\\"b\"} 1\n"))
    }

    @Test(
        "Seconds are written without a rest that is 0",
        arguments: [
            (0, "0"), (1, "0.001"), (10, "0.01"), (100, "0.1"), (1000, "1"), (1500, "1.5"), (-1, "-0.001"), (-61_000, "-61"),
            (1_796_000_000_123, "1796000000.123"), (Int64.max, "9223372036854775.807"), (Int64.min, "-9223372036854775.808"),
        ] as [(Int64, String)])
    func seconds(_ milliseconds: Int64, _ text: String) {
        #expect(MetricValue.seconds(milliseconds: milliseconds).text == text)
    }

    @Test("A histogram's buckets count everything below their bounds")
    func histogram() {
        var metrics = Metrics(user: "root")
        metrics.add(.durations, counts: [1, 0, 2, 0, 0, 0, 0, 0, 0, 4], sumMilliseconds: 5500)
        let lines = text(metrics).split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines.count == 12)
        #expect(lines[0] == "spoold_job_duration_seconds_bucket{le=\"0.1\",user=\"root\"} 1")
        #expect(lines[2] == "spoold_job_duration_seconds_bucket{le=\"10.0\",user=\"root\"} 3")
        #expect(lines[9] == "spoold_job_duration_seconds_bucket{le=\"+Inf\",user=\"root\"} 7")
        #expect(lines[10] == "spoold_job_duration_seconds_sum{user=\"root\"} 5.5")
        #expect(lines[11] == "spoold_job_duration_seconds_count{user=\"root\"} 7")
    }

    @Test("What was written is read again, and gets the reader's user")
    func reading() {
        func filled(_ user: String?) -> Metrics {
            var metrics = Metrics(user: user)
            metrics.add(.build, ["0.1.0"], .count(1))
            metrics.add(.oldestWait, [], .seconds(milliseconds: 1_796_000_000_123))
            metrics.add(.ended, ["done"], .count(4))
            metrics.add(.queueRunning, ["(other)"], .count(4))
            metrics.add(.running, ["a.b-c_d"], .count(1))
            metrics.add(.lastExitCode, ["a"], .count(-1))
            metrics.add(.startDelays, counts: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], sumMilliseconds: 1234)
            return metrics
        }
        for written in [nil, "alice", "mallory"] {
            for read in [nil, "alice"] {
                for format in MetricsFormat.allCases {
                    #expect(text(Metrics(reading: filled(written).text(format), user: read)) == text(filled(read)))
                }
            }
        }
        #expect(filled("x").milliseconds(of: .oldestWait) == 1_796_000_000_123)
        #expect(Metrics().milliseconds(of: .oldestWait) == nil)
        #expect(!text(Metrics(reading: filled(nil).text(.prometheus), user: nil, without: [.build])).contains("build"))
    }

    @Test(
        "A line that is no sample of ours is left out",
        arguments: [
            "", "up 1", "spoold_up", "spoold_up 1 1796000000", "spoold_up  1", "spoold_up NaN", "spoold_up +Inf", "spoold_up 0x10",
            "spoold_up 1e3", "spoold_up{user=\"root\" 1", "spoold_up{user=\"root\"}} 1", "spoold_up{task=\"t\"} 1",
            "spoold_up{user=\"root\",task=\"t\"} 1", "spoold_task_running 1", "spoold_task_running{user=\"root\"} 1",
            "spoold_task_running{task=\"a\",task=\"b\"} 1", "spoold_task_running{task=\"a b\"} 1",
            "spoold_task_running{task=\"a\u{1B}[2J\"} 1",
            "spoold_task_running{task=\"é\"} 1", "spoold_task_running{task=\"a\\\"\"} 1", "spoold_retries 1", "spoold_retries_created 1",
            "spoold_job_duration_seconds 1", "spoold_job_duration_seconds_bucket{le=\"1.0\"} 1",
            "spoold_task_running{task=\"\(String(repeating: "x", count: 600))\"} 1",
        ])
    func strange(_ line: String) {
        #expect(Metrics(reading: Array("\(line)\n".utf8), user: "alice").text(.prometheus).isEmpty)
    }

    @Test("Of a text with more tasks than its reader wants, the first ones are read, with all that is said of them")
    func many() {
        let names = ["running", "paused"]
        let lines = (0..<100).flatMap { task in names.map { "spoold_task_\($0){task=\"t\(task)\"} 1\n" } }
        let read = text(Metrics(reading: Array(lines.joined().utf8), user: nil, labelledMax: 10)).split(separator: "\n")
        let samples = read.filter { !$0.hasPrefix("#") }
        #expect(samples.count == 20 && samples.allSatisfy { !$0.contains("t10") && !$0.contains("t99") }, "\(samples)")
    }

    @Test("A second sample of a series is left out, and a histogram that cannot be one is left out as a whole")
    func forged() {
        let twice = Metrics(reading: Array("spoold_up 1\nspoold_up{user=\"root\"} 0\n".utf8), user: "alice")
        #expect(text(twice).hasSuffix("\nspoold_up{user=\"alice\"} 1\n"))
        var whole = Metrics()
        whole.add(.durations, counts: [1, 0, 2, 0, 0, 0, 0, 0, 0, 4], sumMilliseconds: 5500)
        let good = text(whole)
        #expect(text(Metrics(reading: Array(good.utf8), user: nil)) == good)
        let changes = [
            ("\"60.0\"} 3", "\"60.0\"} 2"), ("\"0.1\"} 1", "\"0.1\"} -1"), ("\"0.1\"} 1", "\"0.1\"} 0.5"), ("_sum 5.5", "_sum -1"),
            ("le=\"1.0\"", "le=\"2.0\""),
        ]
        for (from, to) in changes {
            let pieces = good.split(separator: from, omittingEmptySubsequences: false)
            #expect(pieces.count == 2, "\(from)")
            #expect(Metrics(reading: Array(pieces.joined(separator: to).utf8), user: nil).text(.prometheus).isEmpty, "\(to)")
        }
    }

    @Test(
        "A client that reads OpenMetrics gets it",
        arguments: [
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.7,"
                    + "text/plain;version=0.0.4;q=0.5",
                .openMetrics
            ),
            (" Application/OpenMetrics-Text ; version=1.0.0", .openMetrics), ("text/plain", .prometheus), ("*/*", .prometheus),
            ("", .prometheus), ("application/openmetrics-texts", .prometheus),
        ] as [(String, MetricsFormat)])
    func accepting(_ header: String, _ format: MetricsFormat) {
        #expect(MetricsFormat(accepting: header) == format)
    }
}
