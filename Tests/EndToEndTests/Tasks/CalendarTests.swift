import Glibc
import Testing

/// Schedules that leave out the times of a configured calendar, or are due only in these times.
@Suite("Calendars", .ownThreads)
struct CalendarTests {
    private static let ics = """
        BEGIN:VCALENDAR\r
        BEGIN:VEVENT\r
        SUMMARY:New Year's Day\r
        DTSTART;VALUE=DATE:20000101\r
        RRULE:FREQ=YEARLY\r
        END:VEVENT\r
        END:VCALENDAR\r

        """

    @Test("N12: next marks, why explains and check knows the due times that a calendar leaves out; the daemon uses the same ones")
    func marked() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.write("\(spool.base)/holidays.ics", Self.ics)
        try Commands.succeed("mkdir", "\(spool.base)/other")
        try Files.write(
            spool.configuration,
            """
            [calendars.holidays]
            dates = [2098-12-31, "2099-01-02"]
            file = "\(spool.base)/holidays.ics"
            [calendars.night]
            windows = "22:00-06:00"
            """)
        try spool.start()
        try spool.acceptedTask(
            "t", "command = [\"true\"]\n[[schedule]]\ncron = \"0 9 * * *\"\nnot_before = 2098-12-30\nexcept = [\"holidays\"]\n")
        let next = try spool.ctl("next", "t", "-n", "2", "--json").objects
        #expect(next.map { $0.text("due") } == ["2098-12-30T09:00:00.000Z", "2099-01-03T09:00:00.000Z"])
        #expect(next[1].text("note") == "skips 2098-12-31 09:00, 2099-01-01 09:00 and 2099-01-02 09:00: holidays")
        #expect(try spool.ctl("show", "t").output.contains("2098-12-30T09:00"))
        let moved = try spool.ctl(
            "next", "--cron", "0 9 1 1 *", "--except", "holidays", "--when-excluded", "next", "--from", "2098-06-01", "-n", "1", "--json")
            .objects
        #expect(moved.map { $0.text("due") } == ["2099-01-03T09:00:00.000Z"])
        #expect(moved[0].text("note")?.hasPrefix("moved from 2099-01-01 09:00: holidays") == true)
        let kept = try spool.ctl("explain", "--cron", "*/30 * * * *", "--only", "night", "--from", "2099-01-05 12:00", "-n", "1")
        #expect(kept.output.contains("2099-01-05T22:00") && kept.output.contains("only in night"), "\(kept.output)")
        let why = try spool.ctl("why", "t@2099-01-01 09:00")
        #expect(why.output.contains("leaves out this time by its calendars: holidays"), "\(why.output) \(why.errors)")
        try Files.write("\(spool.base)/other/spoold.toml", "[calendars.c]\nfile = \"\(spool.base)/none.ics\"\n")
        let configuration = try spool.ctl("check", "\(spool.base)/other/spoold.toml")
        #expect(configuration.code != 0 && configuration.output.contains("calendars.c: "), "\(configuration.output)")
        for (keys, error) in [
            ("except = [\"holidais\"]", "except: there is no calendar \"holidais\"; did you mean \"holidays\"?"),
            ("only = \"x\"", "only: there is no calendar \"x\"; the configuration defines it as [calendars.x]"),
            ("when_excluded = \"next\"", "when_excluded needs except or only, which are missing"),
        ] {
            try Files.write("\(spool.base)/bad.toml", "command = [\"true\"]\n[[schedule]]\ncron = \"@daily\"\n\(keys)\n")
            let check = try spool.ctl("check", "\(spool.base)/bad.toml")
            #expect(check.code != 0 && check.output.contains(error), "\(keys): \(check.output)")
        }
    }

    @Test("N12: changes of a calendar count while the daemon runs: in the configuration, and in the file that it names")
    func changed() throws {
        let spool = try SpoolUnderTest(configuration: "[calendars.holidays]\ndates = []\n")
        try spool.acceptedTask("t", "command = [\"true\"]\n[[schedule]]\ncron = \"0 9 1 1 *\"\nexcept = \"holidays\"\n")
        // The task names a calendar that does not exist yet.
        try spool.task("early", "command = [\"true\"]\n[[schedule]]\ncron = \"* * * * * *\"\nonly = \"always\"\n")
        try spool.logLine("event=refused", "file=tasks/early")
        func nextDue(_ expected: String) throws {
            try spool.wait(for: "next due \(expected)") { try spool.daemonStatus()?.text("next_due")?.hasPrefix(expected) ?? false }
        }
        let year = try #require(Int(String(try spool.ctl("next", "t", "-q", "-n", "1").output.prefix(4))))
        let ending = Self.ics.replacing("RRULE:FREQ=YEARLY\r\n", with: "RRULE:FREQ=YEARLY;UNTIL=\(year)1231\r\n")
        try Files.write("\(spool.base)/days.ics", ending)
        try Files.write(
            spool.configuration,
            "[calendars.holidays]\nfile = \"\(spool.base)/days.ics\"\n[calendars.always]\nwindows = \"Mon-Sun\"\n")
        // The daemon then accepts the refused task without another change, and runs it.
        #expect(try spool.ended("early", count: 1)[0].outcome == "done 0")
        try Files.remove("\(spool.path)/tasks/early.toml")
        try nextDue("\(year + 1)-01-01")
        #expect(try spool.ctl("next", "t", "-q", "-n", "1").output.hasPrefix("\(year + 1)-01-01"))
        try Files.write(
            "\(spool.base)/days.ics", Self.ics.replacing("RRULE:FREQ=YEARLY\r\n", with: "RRULE:FREQ=YEARLY;UNTIL=\(year + 1)1231\r\n"))
        try nextDue("\(year + 2)-01-01")
        // A task whose calendar was removed is reported, and runs without it.
        try Files.write(spool.configuration, "[calendars.always]\nwindows = \"Mon-Sun\"\n")
        try spool.logLine("event=refused", "file=tasks/t")
        try nextDue("\(year)-01-01")
        #expect(try spool.ctl("next", "t", "-q", "-n", "1").output.hasPrefix("\(year)-01-01"))
        let state = try spool.ctl("list", "--json").objects.first { $0.text("name") == "t" }?.text("state")
        #expect(state == "edit refused")
        try Files.write(spool.configuration, "[calendars.holidays]\nfile = \"\(spool.base)/days.ics\"\n")
        try nextDue("\(year + 2)-01-01")
        // An invalid calendar file changes nothing, and is reported.
        try Files.write("\(spool.base)/days.ics", "no calendar")
        try spool.logLine("event=refused", "days.ics")
        try nextDue("\(year + 2)-01-01")
    }
}
