import Model
import TestSupport
import Testing

@Suite struct TaskTests {
    @Test func aTaskIsAJobWithSchedules() throws {
        let task = try readTask(
            """
            command = ["rsync"]
            overlap = "skip"
            [[schedule]]
            cron = "0 2 * * *"
            [[schedule]]
            every = "5 minutes"
            """)
        #expect(task.name == "backup" && task.overlap == .skip)
        #expect(task.schedules.map(\.expression) == ["cron \"0 2 * * *\"", "every \"5m\""])
        #expect(try readTask("command = \":\"").schedules.isEmpty)
    }

    static let refused: [Refused] = [
        Refused(
            "command = \":\"\nunique = \"k\"",
            "2:10: unique is a key of jobs; all runs of a task would have the same; overlap = \"skip\" runs one at a time"),
        Refused("command = \":\"\nafter = \"backup\"", "2:9: after names the task itself; see overlap"),
        Refused(
            "command = \":\"\nafter = \"20261121T020000.000Z-a-k3f9ab\"",
            "2:9: after names 20261121T020000.000Z-a-k3f9ab, one job; a task waits for tasks"),
        Refused("command = \":\"\nexpect = 0", "2:10: expect must be longer than zero"),
        Refused("command = \":\"\non_overdue = \"x\"", "2:14: on_overdue without expect; add expect = \"26h\""),
        Refused("[[schedule]]\ncron = \"0 2 * * *\"", "1:1: nothing to run: give command, script or task"),
        Refused("task = \"other\"\ncommand = \":\"", "1:8: task is a key of jobs; a task has its own command or script"),
        Refused("command = \":\"\n[schedule]\ncron = \"@daily\"", "2:2: schedule is a single table; write [[schedule]] with two brackets"),
        Refused("command = \":\"\nschedule = 3", "2:12: schedule must be a list of tables, written as [[schedule]], not a whole number"),
        Refused("command = \":\"\nschedule = [3]", "2:13: schedule must be a table, written as [[schedule]], not a whole number"),
        Refused("command = \":\"\n[[schedule]]\n", "2:3: a schedule needs one of cron, calendar, rrule, every, at, pattern, on_path"),
        Refused("command = \":\"\n[[shedule]]\ncron = \"@daily\"", #"2:3: unknown key "shedule"; did you mean "schedule"?"#),
        Refused(
            "command = \":\"\n[[schedule]]\ncron = \"@daily\"\nevery = 5",
            "4:9: cron and every in one schedule; write a [[schedule]] for each"),
        Refused(
            "command = \":\"\n[[schedule]]\ncorn = \"@daily\"",
            "2:3: a schedule needs one of cron, calendar, rrule, every, at, pattern, on_path",
            #"3:1: unknown key "corn"; did you mean "cron"?"#),
        Refused("command = \":\"\n[[schedule]]\ncron = \"61 * * * *\"", #"3:9: cron "61 * * * *": minute 61 is out of range 0-59"#),
        Refused(
            "command = \":\"\n[[schedule]]\ncalendar = \"*-*-* 25:00\"", #"3:19: calendar "*-*-* 25:00": hour 25 is out of range 0-23"#),
        Refused("command = \":\"\n[[schedule]]\ncalendar = \"daily Mars\"", #"3:19: calendar "daily Mars": unknown time zone "Mars""#),
        Refused("command = \":\"\n[[schedule]]\ncalendar = 5", "3:12: calendar must be a string, not a whole number"),
        Refused(
            "command = \":\"\n[[schedule]]\ncalendar = \"daily UTC\"\ntimezone = \"Europe/Berlin\"",
            #"4:12: timezone is "Europe/Berlin", and calendar "daily UTC" names the zone UTC; leave one of them away"#),
        Refused(
            "command = \":\"\n[[schedule]]\ncron = \"CRON_TZ=Asia/Tokyo @daily\"\ntimezone = \"Asia/Tokyo\"",
            #"4:12: timezone is "Asia/Tokyo", and cron "CRON_TZ=Asia/Tokyo @daily" names the zone Asia/Tokyo; leave one of them away"#),
        Refused(
            "command = \":\"\n[[schedule]]\npattern = \"**.01.05.60.00\"",
            #"3:21: pattern "**.01.05.60.00": minute 60 is out of range 0-59"#),
        Refused(
            "command = \":\"\n[[schedule]]\npattern = \"5.secunds\"",
            #"3:14: pattern "5.secunds": unknown unit "secunds"; did you mean seconds?"#),
        Refused("command = \":\"\n[[schedule]]\npattern = \"5.days\"\nfrom = \"end\"", "4:1: from needs every, which is missing"),
        Refused("command = \":\"\n[[schedule]]\npattern = 5", "3:11: pattern must be a string, not a whole number"),
        Refused("command = \":\"\n[[schedule]]\ncron = 5", "3:8: cron must be a string, not a whole number"),
        Refused(
            "command = \":\"\n[[schedule]]\nrrule = \"FREQ=DAILY;BYHOUR=24\"",
            #"3:28: rrule "FREQ=DAILY;BYHOUR=24": BYHOUR 24 is out of range 0-23"#),
        Refused(
            "command = \":\"\n[[schedule]]\nrrule = \"FREQ=DAILY;COUNT=2\"",
            #"""
            3:27: rrule "FREQ=DAILY;COUNT=2": COUNT counts from dtstart, which is missing; add when it starts, such as dtstart = \#
            "2026-01-01T09:00:00"
            """#),
        Refused(
            "command = \":\"\n[[schedule]]\nrrule = \"FREQ=DAILY\"\ndtstart = \"19971332\"",
            #"4:11: dtstart: month 13 is out of range 1-12 in "19971332""#),
        Refused(
            "command = \":\"\n[[schedule]]\nrrule = \"FREQ=DAILY\"\ndtstart = \"in 2 hours\"",
            #"4:11: dtstart "in 2 hours" counts from now; write a date and a time, such as "2026-12-24T18:00:00""#),
        Refused(
            "command = \":\"\n[[schedule]]\nrrule = \"FREQ=DAILY\"\nexdate = [\"20260101\", true]",
            #"4:23: exdate must be an instant such as "2026-12-24T18:00:00Z", not a truth value"#),
        Refused(
            "command = \":\"\n[[schedule]]\ncron = \"@daily\"\ndtstart = \"20260101\"\nexdate = []",
            "4:1: dtstart needs rrule, which is missing", "5:1: exdate needs rrule, which is missing"),
        Refused("command = \":\"\n[[schedule]]\nevery = 0", "3:9: every must be longer than zero"),
        Refused(
            "command = \":\"\n[[schedule]]\nevery = \"1 fortnite\"",
            #"""
            3:9: every: unknown unit "fortnite" in the duration "1 fortnite"; units are ns us ms s m h d w M y, or words such as minutes
            """#),
        Refused("command = \":\"\n[[schedule]]\nevery = 5\nfrom = \"begin\"", #"4:8: from must be one of start, end, not "begin""#),
        Refused(
            "command = \":\"\n[[schedule]]\nat = true", #"3:6: at must be an instant such as "2026-12-24T18:00:00Z", not a truth value"#),
        Refused(
            "command = \":\"\n[[schedule]]\ncron = \"@daily\"\ncatch_up = \"first\"",
            #"4:12: catch_up must be one of last, all, none, not "first""#),
        Refused("command = \":\"\n[[schedule]]\ncron = \"@daily\"\ncatch_up_limit = 0", "4:18: catch_up_limit is 0, outside 1 to 1000000"),
        Refused("command = \":\"\n[[schedule]]\ncron = \"@daily\"\nenabled = \"no\"", "4:11: enabled must be true or false, not a string"),
        Refused(
            "command = \":\"\n[[schedule]]\ncron = \"@daily\"\njitter = \"x\"",
            #"4:10: jitter: expected a number in the duration "x"; for example 90s, 1h30m, 2 days or PT1H30M"#),
        Refused(
            "command = \":\"\n[[schedule]]\ncron = \"@daily\"\nid = \"a/b\"",
            #"4:6: id "a/b" is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -"#),
        Refused(
            "command = \":\"\n[[schedule]]\ncron = \"@daily\"\ndst_gap = \"jump\"", #"4:11: dst_gap must be one of run, skip, not "jump""#),
        Refused("command = \":\"\n[[schedule]]\ncron = \"@daily\"\ntimezone = \"Mars\"", #"4:12: timezone: unknown time zone "Mars""#),
        Refused(
            "tries = 0\n[[schedule]]\ncron = \"@daly\"", "1:1: nothing to run: give command, script or task",
            "1:9: tries is 0, outside 1 to 1000000", #"3:9: cron "@daly": unknown word "@daly"; did you mean @daily?"#),
    ]

    @Test(arguments: refused)
    func aTaskThatCannotBeUsedSaysWhereAndWhy(_ form: Refused) {
        #expect(problems { _ = try readTask(form.text) } == form.errors)
    }

    @Test(arguments: ["50.seconds", "01|02.**.05.00.00", "Saturday|sun.22.00.00", "ext:my-pattern:a b"])
    func aPatternIsAScheduleInItsZone(pattern: String) throws {
        let schedule = try readTask("command = \":\"\n[[schedule]]\npattern = \"\(pattern)\"\ntimezone = \"Europe/Berlin\"").schedules[0]
        #expect(schedule.expression == "pattern \"\(pattern)\"" && schedule.zone.name == "Europe/Berlin" && schedule.recurrence.isFromEnd)
        #expect(
            schedule.recurrence.zone.map { $0 === schedule.zone }
                ?? (schedule.recurrence.isInterval || schedule.recurrence.patternExtension != nil))
    }

    @Test func aRunOfATaskHasItsKeysAndNoSchedule() throws {
        let task = try readTask("command = [\"a\"]\npayload = 1\ntimeout = \"5s\"\n[[schedule]]\nevery = 5")
        let (source, job) = try task.job(context)
        #expect(job.action == .arguments(["a"]) && job.timeoutMilliseconds == 5000 && job.payload == Array("1".utf8))
        #expect(source.format == .json)
        // The journal keeps this text. It is read as the same job.
        let again = try JobDefinition.read(try source.table(), context)
        #expect(again.action == job.action && again.payload == job.payload)
        // `expect` belongs to the task, not to its runs.
        let expecting = try readTask("command = \"a\"\nexpect = \"26h\"\non_overdue = [\"b\"]\nlocks = [\"l\"]")
        #expect(expecting.expectMilliseconds == 93_600_000)
        #expect(try expecting.whenOverdue(context)?.action == .arguments(["b"]))
        #expect(try expecting.job(context).definition.locks == ["l"])
        let other = try task.job(payload: Array(#"{"x": 1}"#.utf8), context).definition
        #expect(other.payload == Array(#"{"x":1}"#.utf8) && other.timeoutMilliseconds == 5000)
    }

    @Test func aJobsKeysTakePrecedenceOverItsTasks() throws {
        let task = try readTask("command = \"a\"\ntries = 3\npriority = 1\n[[schedule]]\nevery = 5")
        let table = try task.jobTable(overrides: try toml("task = \"backup\"\npriority = 7\ntags = [\"x\"]").table())
        #expect(table.entries.map(\.key) == ["command", "tries", "priority", "tags"])
        let job = try JobDefinition.read(table, context)
        #expect(job.priority == 7 && job.tries == 3 && job.tags == ["x"])
    }
}
