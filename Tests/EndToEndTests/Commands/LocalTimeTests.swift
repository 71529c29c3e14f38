// Instants on the command line and times in the output use the caller's time zone. Schedules use the spool's.

import Documents
import Glibc
import Linux
import Testing

@Suite("Local time at the command line", .ownThreads)
struct LocalTimeTests {
    private func spool(zone: String = "Europe/Berlin") throws -> SpoolUnderTest {
        let spool = try SpoolUnderTest(starting: false)
        spool.zone = zone
        return spool
    }

    static let submitted: [(words: [String], file: [String], says: String?)] = [
        (["--at", "2099-07-01 18:00"], ["start = \"2099-07-01T18:00:00+02:00\""], "starts Wed 1 Jul 2099 18:00 CEST, in "),
        (["--at", "6pm Jan 2 2099"], ["start = \"2099-01-02T18:00:00+01:00\""], "starts Fri 2 Jan 2099 18:00 CET, in "),
        (["--start", "18:00 1.7.2099"], ["start = \"2099-07-01T18:00:00+02:00\""], "starts Wed 1 Jul 2099 18:00 CEST, in "),
        (
            ["--at", "2099-07-01 18:00", "--timezone", "Asia/Tokyo"], ["start = \"2099-07-01T18:00:00+09:00\""],
            "starts Wed 1 Jul 2099 11:00 CEST, in "
        ),
        (["--at", "2099-07-01T18:00:00Z"], ["start = \"2099-07-01T20:00:00+02:00\""], "starts Wed 1 Jul 2099 20:00 CEST, in "),
        (
            ["--deadline", "2099-07-01 18:00", "--in", "900d"], ["deadline = \"2099-07-01T18:00:00+02:00\""], "in 900d00h"
        ),
        (["--deadline", "10m"], ["deadline = \"10m\""], nil),
        (["--at", "2020-01-01 00:00"], ["start = \"2020-01-01T00:00:00+01:00\""], "Wed 1 Jan 2020 00:00 CET is in the past"),
    ]

    @Test("A submitted job starts by the caller's clock; its file has the offset, and a remark names the time", arguments: submitted)
    func submit(_ row: (words: [String], file: [String], says: String?)) throws {
        let spool = try spool()
        let result = try spool.ctl(list: ["submit"] + row.words + ["--", "true"])
        #expect(result.code == 0, "\(result)")
        let text = try Files.text("\(spool.path)/new/\(try #require(Files.list("\(spool.path)/new").first))")
        for part in row.file { #expect(text.contains(part), "\(text)") }
        let remarks = result.errors.split(separator: "\n").filter { !$0.contains("spoold is not running") }
        if let says = row.says { #expect(remarks.contains { $0.contains(says) }, "\(remarks)") } else { #expect(remarks.isEmpty) }
        #expect(try spool.ctl(list: ["submit", "-q"] + row.words + ["--", "true"]).errors.isEmpty)
    }

    static let created: [(words: [String], code: Int32, says: String)] = [
        (["--cron", "30 2 1 7 *"], 0, "02:30 UTC (04:30 CEST); --timezone local for your own"),
        (["--cron", "30 23 1 7 *"], 0, "1 Jul"), (["--cron", "30 23 1 7 *"], 0, "23:30 UTC ("),
        (["--cron", "30 2 1 7 *", "--timezone", "local"], 0, "02:30 CEST, in "),
        (["--cron", "30 2 1 7 *", "--timezone", "Asia/Tokyo"], 0, "02:30 JST ("),
        (["--at", "2099-07-01 18:00"], 0, "next due Wed 1 Jul 2099 18:00 CEST, in "), (["--every", "5m"], 0, "next due "),
        (["--on-path", "/srv/*.csv"], 0, "due when a file matching /srv/*.csv arrives"),
        (["--cron", "@reboot"], 0, "due when spoold first starts after a boot"), (["--cron", "0 2 30 2 *"], 0, "it is never due"),
        (["--cron", "0 2 1 7 *", "--not-after", "2020-07-01"], 0, "never due: its not_after, Wed 1 Jul 2020 00:00 CEST, comes before"),
        (["--at", "2020-01-01 00:00"], 4, "--at: Wed 1 Jan 2020 00:00 CET is in the past"),
    ]

    @Test("The caller of create or schedule is told the next due time", arguments: created)
    func create(_ row: (words: [String], code: Int32, says: String)) throws {
        let spool = try spool()
        let created = try spool.ctl(list: ["create", "t"] + row.words + ["--", "true"])
        #expect(created.code == row.code && created.errors.contains(row.says), "\(created)")
        try spool.task("u", "command = 'true'")
        let scheduled = try spool.ctl(list: ["schedule", "u"] + row.words)
        #expect(scheduled.code == row.code && scheduled.errors.contains(row.says), "\(scheduled)")
        #expect(try spool.ctl(list: ["create", "q", "-q"] + row.words + ["--", "true"]).errors.contains("next due") == false)
        guard row.code == 0 else { return }
        let updated = try spool.ctl("update", "t", "--timeout", "1h")
        #expect(updated.code == 0 && updated.errors.hasPrefix("spoolctl: ") == created.errors.contains("due "), "\(updated)")
    }

    @Test("An instant of --at in a task's file has the caller's offset, and the schedule keeps the spool's zone")
    func written() throws {
        let spool = try spool()
        #expect(try spool.ctl("create", "t", "--at", "2099-07-01 18:00", "--", "true").code == 0)
        #expect(try Files.text("\(spool.path)/tasks/t.toml").contains("at = \"2099-07-01T18:00:00+02:00\""))
        #expect(try spool.ctl("next", "--at", "2099-07-01 18:00", "-q").lines == ["2099-07-01T16:00:00.000Z"])
        let range = ["--from", "2099-07-01", "-n", "1", "-q"]
        #expect(try spool.ctl(list: ["next", "--cron", "0 18 * * *"] + range).lines == ["2099-07-01T18:00:00.000Z"])
        // The range begins at the caller's midnight, which is 22:00 UTC.
        #expect(try spool.ctl(list: ["next", "--cron", "0 23 * * *"] + range).lines == ["2099-06-30T23:00:00.000Z"])
    }

    @Test("why, jobs and backfill read a time in the past by the caller's clock")
    func past() throws {
        let spool = try spool()
        try spool.task("t", "command = 'true'\n[[schedule]]\ncron = \"30 2 * * *\"")
        #expect(try spool.ctl("why", "t@2026-07-01 04:30").output.contains("2026-07-01T02:30:00Z"))
        #expect(try spool.ctl("why", "t@2026-07-01 02:30", "--timezone", "UTC").output.contains("2026-07-01T02:30:00Z"))
        let dry = try spool.ctl("backfill", "t", "--from", "2026-07-01 04:30", "--to", "2026-07-02 04:30", "--dry-run")
        #expect(dry.lines.count == 1 && dry.output.contains("2026-07-01T02:30:00.000Z"), "\(dry)")
        #expect(try spool.ctl("submit", "--in", "1h", "--", "true").code == 0)
        for since in ["yesterday", "3 days ago", "last monday", "2h", "yesterday 18:00", "last week"] {
            #expect(try spool.ctl("jobs", "--since", since, "-q").lines.count == 1, "\(since)")
            #expect(try spool.ctl("jobs", "--until", since, "-q").lines.isEmpty, "\(since)")
        }
    }

    static let refused: [(words: [String], says: [String])] = [
        (["submit", "--at", "tomorow 18:00", "--", "true"], ["--at: ", "\"tomorow\"", "did you mean tomorrow?",
        "\"tomorrow 18:00\", \"in 2 hours\""]),
        (["submit", "--deadline", "soonish", "--", "true"], ["--deadline: ", "\"soonish\" is not understood", "\"in 2 hours\""]),
        (["create", "x", "--at", "25:00", "--", "true"], ["--at: ", "hour 25 is out of range 0-23"]),
        (["create", "x", "--cron", "@daily", "--not-before", "mondey", "--", "true"], ["--not-before: ", "did you mean monday?"]),
        (["jobs", "--since", "yesteday"], ["--since: ", "did you mean yesterday?", "\"yesterday 18:00\", \"3 days ago\""]),
        (["journal", "--since", "whenever"], ["--since: ", "\"whenever\" is not understood", "\"3 days ago\""]),
        (["simulate", "--to", "next mnth"], ["--to: ", "did you mean month"]),
        (["why", "t@mondey"], ["\"mondey\" is not understood; did you mean monday?"]),
        (["submit", "--at", "noon", "--timezone", "Mars/Base", "--", "true"], ["--timezone: unknown time zone \"Mars/Base\""]),
    ]

    @Test("An unreadable instant is refused; the error names the word, and instants that are accepted there", arguments: refused)
    func refuse(_ row: (words: [String], says: [String])) throws {
        let spool = try spool()
        try spool.task("t", "command = 'true'")
        let result = try spool.ctl(list: row.words)
        #expect(result.code == 4 && result.output.isEmpty, "\(result)")
        for part in row.says { #expect(result.errors.contains(part), "\(result.errors)") }
    }

    @Test("A TZ that cannot be used is reported once, and UTC is used")
    func unusable() throws {
        let result = try spool(zone: "Mars/Base").ctl("submit", "--at", "2099-07-01 18:00", "--", "true")
        #expect(result.code == 0 && result.errors.contains("TZ is set to \"Mars/Base\""), "\(result.errors)")
        #expect(result.errors.contains("starts Wed 1 Jul 2099 18:00 UTC"), "\(result.errors)")
        // The third remark is that no daemon runs.
        #expect(result.errors.split(separator: "\n").count == 3, "\(result.errors)")
    }

    @Test(
        "On a terminal tables are by the caller's clock and name its zone once; next has another clock beside it, and remarks at its end",
        .enabled(if: Commands.has("tmux"), "tmux is not installed"))
    func tables() throws {
        let spool = try spool()
        try spool.task("t", "command = 'true'\n[[schedule]]\nat = \"2099-07-01T16:00:00Z\"")
        try spool.task("u", "command = 'true'\n[[schedule]]\ncalendar = \"2099-07-01 18:00 Asia/Tokyo\"")
        try spool.task("f", "command = 'true'\n[[schedule]]\non_path = \"/srv/*.csv\"")
        #expect(try spool.ctl("submit", "--at", "2099-07-01 18:00", "--name", "j", "--", "true").code == 0)
        let id = try spool.ctl("jobs", "-q").id
        for (words, time) in [
            ("next t", "Wed 1 Jul 2099 18:00"), ("list", "2099-07-01"), ("show t", "2099-07-01 18:00:00"), ("why t",
            "1 Jul 2099 18:00 CEST"),
            ("status \(id)", "2099-07-01 18:00:00"), ("jobs --columns name,not_before", "2099-07-01 18:00:00"),
        ] {
            let screen = try TmuxScreen(spool, columns: 100, "spoolctl --config \(spool.configuration) \(words); echo end; read x")
            let text = try screen.shows("end\n")
            #expect(text.contains(time), "\(words): \(text)")
            #expect(text.split(separator: "times in Europe/Berlin", omittingEmptySubsequences: false).count == 2, "\(words): \(text)")
            try screen.close()
        }
        let screen = try TmuxScreen(spool, columns: 100, "spoolctl --config \(spool.configuration) next; echo end; read x")
        let lines = try screen.shows("end\n").split(separator: "\n").map(String.init)
        #expect(lines.first?.hasPrefix("LOCAL") == true && lines.first?.hasSuffix("times in Europe/Berlin") == true, "\(lines)")
        #expect(lines.contains { $0.hasPrefix("Wed 1 Jul 2099 11:00  18:00 JST") }, "\(lines)")
        let last = try #require(lines.lastIndex { $0.contains("1 Jul 2099") })
        let remark = try #require(lines.firstIndex { $0.contains("task f is due when a file matching") })
        #expect(remark > last && !lines.contains { $0.hasPrefix("Wed 1 Jul 2099 18:00  16:00") }, "\(lines)")
        try screen.close()
    }
}
