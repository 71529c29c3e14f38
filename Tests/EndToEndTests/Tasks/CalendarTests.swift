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
        // A task whose calendar is gone is reported, and keeps the calendar's last form, across a restart too.
        try Files.write(spool.configuration, "[calendars.always]\nwindows = \"Mon-Sun\"\n")
        try spool.logLine("event=refused", "file=tasks/t", "the configuration has no calendar", "last form stays in force")
        for isRestarted in [false, true] {
            if isRestarted {
                try spool.crash()
                try spool.start()
            }
            try nextDue("\(year + 2)-01-01")
            #expect(try spool.ctl("next", "t", "-q", "-n", "1").output.hasPrefix("\(year + 2)-01-01"))
            let state = try spool.ctl("list", "--json").objects.first { $0.text("name") == "t" }?.text("state")
            #expect(state == "edit refused")
            for said in [try spool.ctl("status"), try spool.ctl("why", "t"), try spool.ctl("list")] {
                #expect(said.output.contains("no calendar \"holidays\" any more"), "\(said.output)")
                #expect(said.output.contains("the calendar's last form stays in force"), "\(said.output)")
            }
        }
        try Files.write(spool.configuration, "[calendars.holidays]\nfile = \"\(spool.base)/days.ics\"\n")
        try nextDue("\(year + 2)-01-01")
    }

    @Test("N12: a calendar file that is cut off or unreadable is reported alone; its last form and the rest of the configuration count")
    func brokenFile() throws {
        let spool = try SpoolUnderTest(starting: false)
        let outlook = Self.ics.replacing("DTSTART;VALUE=DATE:20000101", with: "DTSTART;TZID=W. Europe Standard Time:20000101T083000")
            .replacing("RRULE", with: "DURATION:PT1H\r\nRRULE")
        func configure(slots: Int) throws {
            try Files.write(spool.configuration, "slots = \(slots)\n[calendars.holidays]\nfile = \"\(spool.base)/days.ics\"\n")
        }
        try Files.write("\(spool.base)/days.ics", outlook)
        try configure(slots: 3)
        try spool.start()
        let keys = "command = [\"true\"]\n[[schedule]]\ncron = \"0 9 1 1 *\"\ntimezone = \"Europe/Berlin\"\nexcept = \"holidays\"\n"
        try spool.acceptedTask("t", keys)
        func slots() throws -> Int64? {
            guard case .table(let table)? = try spool.daemonStatus()?["configuration"]?.kind else { return nil }
            guard case .integer(let slots)? = table["slots"]?.kind else { return nil }
            return slots
        }
        func isNeverDue() throws -> Bool { try spool.ctl("next", "t", "-q", "-n", "1").output.isEmpty }
        #expect(try isNeverDue())
        for (index, text) in [
            String(outlook.dropLast(30)), outlook.replacing("W. Europe Standard Time", with: "Mars/Olympus Mons"), "",
        ].enumerated() {
            let offset = spool.log.utf8.count
            try Files.write("\(spool.base)/days.ics", text)
            try spool.logLine(
                "event=refused", "file=calendars/holidays", index == 1 ? "line 4: DTSTART: TZID" : "days.ics", after: offset)
            // Everything else of the configuration counts.
            try configure(slots: 4 + index)
            let summary = try spool.ctl("summary")
            #expect(summary.code == 1 && summary.output.contains("calendars.holidays"), "\(summary.output)")
            #expect(summary.output.contains("cannot be used, see spoolctl check"), "\(summary.output)")
            let doctor = try spool.ctl("doctor").output.split(separator: "\n").first { $0.hasPrefix("warn\tcalendars\t") }
            #expect(doctor?.contains("days.ics: ") == true && doctor?.contains("spoolctl check reads both") == true, "\(doctor ?? "")")
            try spool.wait(for: "\(4 + index) slots") { try slots() == Int64(4 + index) }
            #expect(try isNeverDue(), "\(text)")
        }
        // A new task can use the last form too, after a restart as well.
        try spool.crash()
        try spool.start()
        try spool.acceptedTask("other", keys)
        #expect(try isNeverDue())
        let check = try spool.ctl("check")
        #expect(check.code == 4 && check.output.contains("days.ics: it is no iCalendar file") && !check.output.contains("cannot be used"))
        try Files.write("\(spool.base)/days.ics", Self.ics.replacing("YEARLY", with: "YEARLY;UNTIL=20010101"))
        try spool.wait(for: "another form") { try !isNeverDue() }
        #expect(try !spool.ctl("summary").output.contains("calendars.holidays"))
        #expect(try spool.ctl("doctor").output.contains("ok\tcalendars\tholidays"))
    }

    @Test("N12: a due time that had moved before its schedule lost its calendars is known to next, why, simulate and the daemon")
    func movedBeforeTheFilterWent() throws {
        let today = time(nil)
        var start = today
        func clock(_ seconds: Int) -> tm {
            var (seconds, parts) = (seconds, tm())
            gmtime_r(&seconds, &parts)
            return parts
        }
        func day(_ days: Int) -> String {
            let parts = clock(today + days * 86_400)
            func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
            return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        }
        let spool = try SpoolUnderTest(configuration: "[calendars.c]\ndates = [\"\(day(0))\", \"\(day(1))\"]\n")
        func keys(_ at: tm) -> String {
            let cron = "\(at.tm_sec) \(at.tm_min) \(at.tm_hour) \(at.tm_mday) \(at.tm_mon + 1) *"
            return "command = [\"true\"]\n[[schedule]]\nid = \"s\"\ncron = \"\(cron)\"\n"
        }
        // Due today in some seconds, once a year. When the machine is so slow that the task is read later, it gets more time.
        var margin = 2
        var due = ""
        var at = clock(start)
        repeat {
            margin *= 2
            start = time(nil)
            at = clock(start + margin)
            try spool.acceptedTask("t", "# \(margin)\n" + keys(at) + "except = \"c\"\nwhen_excluded = \"next\"\n")
            due = try spool.ctl("next", "t", "-q", "-n", "1").output
        } while !due.hasPrefix(day(2)) && margin < 500
        // It passes, and moves to the day after tomorrow.
        let passed = try spool.ctl("submit", "-w", "--in", "\(max(0, start + margin - time(nil)) + 1)s", "--", "true")
        #expect(passed.code == 0)
        try spool.acceptedTask("t", keys(at))
        try spool.wait(for: "the due time that had moved") {
            try spool.daemonStatus()?.text("next_due")?.hasPrefix(day(2)) ?? false
        }
        let next = try spool.ctl("next", "t", "-n", "2", "--json").objects
        #expect(next.first?.text("due")?.hasPrefix(day(2)) == true)
        #expect(next.first?.text("note") == "moved by calendars that have changed since")
        #expect(try spool.ctl("why", "t").output.contains("It is due next at \(day(2))"))
        let why = try spool.ctl("why", "t@\(next.first?.text("due") ?? "")")
        #expect(why.output.contains("is to come"), "\(why.output) \(why.errors)")
        let simulated = try spool.ctl("simulate", "--to", day(4), "--json")
        #expect(simulated.output.contains("\"runs\":1"), "\(simulated.output)")
    }
}
