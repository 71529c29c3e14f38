import Model
import TestSupport
import Testing

@Suite struct ScheduleTests {
    @Test func whatIsNotGivenHasItsDefault() throws {
        let schedule = try readSchedule("cron = \"@daily\"")
        #expect(schedule.zone.name == "UTC" && schedule.jitterMilliseconds == 0 && schedule.enabled)
        #expect(schedule.catchUp == .last && schedule.catchUpLimit == 1000)
        #expect(schedule.notBefore == nil && schedule.notAfter == nil && schedule.payload == nil && schedule.once == nil)
    }

    @Test func everyKeyOfAScheduleIsRead() throws {
        let schedule = try readSchedule(
            """
            cron = "0 2 * * *"
            id = "nightly"
            timezone = "Europe/Berlin"
            jitter = "30s"
            catch_up = "all"
            catch_up_limit = 7
            not_before = "2026-12-01"
            not_after = 2026-12-31T00:00:00Z
            payload = {full = true}
            enabled = false
            """)
        #expect(schedule.id == "nightly" && schedule.zone.name == "Europe/Berlin" && schedule.jitterMilliseconds == 30_000)
        #expect(schedule.catchUp == .all && schedule.catchUpLimit == 7 && !schedule.enabled)
        #expect(schedule.notBefore == instant("2026-11-30T23:00:00.000Z"))
        #expect(schedule.notAfter == instant("2026-12-31T00:00:00.000Z"))
        #expect(schedule.payload == Array(#"{"full":true}"#.utf8))
        #expect(schedule.recurrence.next(after: now, origin: now) == instant("2026-11-22T01:00:00.000Z"))
    }

    static let due: [(String, String?)] = [
        ("cron = \"0 3 * * *\"", "2026-11-21T03:00:00.000Z"),
        ("cron = \"@every 10m\"", "2026-11-21T02:10:00.000Z"),
        ("cron = \"@reboot\"", nil),
        ("calendar = \"Mon..Fri 9:00\"", "2026-11-23T09:00:00.000Z"),
        ("calendar = \"Mon..Fri 9:00 Europe/Berlin\"", "2026-11-23T08:00:00.000Z"),
        ("calendar = \"9:00:00.25\"\ntimezone = \"Asia/Tokyo\"", "2026-11-22T00:00:00.250Z"),
        ("calendar = \"@1800000000\"\ntimezone = \"Asia/Tokyo\"", "2027-01-15T08:00:00.000Z"),
        ("rrule = \"FREQ=MONTHLY;BYDAY=2TU\"", "2026-12-08T00:00:00.000Z"),
        (
            "rrule = \"RRULE:FREQ=WEEKLY;INTERVAL=2\"\ndtstart = 1997-09-02T09:00:00\ntimezone = \"America/New_York\"",
            "2026-12-01T14:00:00.000Z"),
        ("rrule = \"FREQ=DAILY\"\ndtstart = \"19970902T090000\"\nexdate = 2026-11-21T09:00:00", "2026-11-22T09:00:00.000Z"),
        (
            "rrule = \"FREQ=DAILY\"\ndtstart = 1997-09-02T09:00:00+02:00\nexdate = [\"20261121T070000Z\", \"2026-11-22\", 2026-11-23]",
            "2026-11-24T07:00:00.000Z"),
        ("rrule = \"FREQ=DAILY;COUNT=2\"\ndtstart = \"2026-11-20T18:00:00Z\"\ntimezone = \"Asia/Tokyo\"", "2026-11-21T18:00:00.000Z"),
        ("rrule = \"FREQ=DAILY;UNTIL=20261121T015959Z\"", nil),
        ("every = \"5 minutes\"", "2026-11-21T02:05:00.000Z"),
        ("every = 90", "2026-11-21T02:01:30.000Z"),
        ("every = 0.25", "2026-11-21T02:00:00.250Z"),
        ("every = \"1 month\"", "2026-12-21T02:00:00.000Z"),
        ("at = \"2026-12-24T18:00:00+01:00\"", "2026-12-24T17:00:00.000Z"),
        ("at = 2026-12-24T18:00:00Z", "2026-12-24T18:00:00.000Z"),
        ("at = \"2026-11-20T18:00:00Z\"", nil),
    ]

    @Test(arguments: due)
    func aScheduleIsNextDue(keys: String, due: String?) throws {
        #expect(try readSchedule(keys).recurrence.next(after: now, origin: now)?.rfc3339 == due)
    }

    @Test func everyCountsFromTheEndUnlessAskedOtherwise() throws {
        #expect(try readSchedule("every = 5").recurrence.isFromEnd)
        #expect(try !readSchedule("every = 5\nfrom = \"start\"").recurrence.isFromEnd)
        #expect(try readSchedule("every = 5\nfrom = \"end\"").recurrence.isFromEnd)
        let said = problems { _ = try readSchedule("cron = \"@daily\"\nfrom = \"start\"") }
        #expect(said == ["4:1: from needs every, which is missing"])
    }

    @Test func whatARuleStartsFromAndLeavesOutIsPartOfIt() throws {
        let texts = [
            "rrule = \"FREQ=DAILY\"", "rrule = \"FREQ=DAILY\"\ndtstart = \"2026-11-20\"",
            "rrule = \"FREQ=DAILY\"\ndtstart = \"2026-11-21\"",
            "rrule = \"FREQ=DAILY\"\nexdate = \"2026-11-21\"", "rrule = \"FREQ=DAILY\"\nexdate = [\"2026-11-21\", \"2026-11-22\"]",
        ]
        #expect(try Set(texts.map { try readSchedule($0).id }).count == texts.count)
        let spellings = ["dtstart = \"20261120T090000\"", "dtstart = 2026-11-20T09:00:00", "dtstart = \"2026-11-20 09:00\""]
        #expect(
            try Set(spellings.map { try readSchedule("rrule = \"FREQ=DAILY\"\n\($0)").expression })
                == ["rrule \"FREQ=DAILY\" from 2026-11-20T09:00:00"])
    }

    @Test func aSchedulesZoneIsItsOwnThenTheTasksThenTheConfiguredOne() throws {
        let berlin = ReadingContext(now: now, zones: zones, zone: try zones.zone("Europe/Berlin"))
        let configured = try TaskDefinition(name: "a", source: toml("command = \":\"\n[[schedule]]\ncron = \"@daily\""), berlin)
        #expect(configured.schedules[0].zone.name == "Europe/Berlin")
        let task = try readTask(
            """
            command = \":\"\ntimezone = \"Asia/Tokyo\"\n[[schedule]]\ncron = \"@daily\"\n[[schedule]]\ncron = \"@daily\"\n\
            timezone = \"UTC\"
            """)
        #expect(task.schedules.map(\.zone.name) == ["Asia/Tokyo", "UTC"])
        // A zone in the expression takes precedence over all others.
        let named = try readTask(
            """
            command = \":\"\ntimezone = \"Asia/Tokyo\"\n[[schedule]]\ncalendar = \"daily Europe/Berlin\"\n[[schedule]]\n\
            cron = \"CRON_TZ=Asia/Kolkata @daily\"\nnot_after = \"2026-12-01\"
            """)
        #expect(named.schedules.map(\.zone.name) == ["Europe/Berlin", "Asia/Kolkata"])
        #expect(named.schedules[1].notAfter == instant("2026-11-30T18:30:00.000Z"))
    }

    /// Other edits must not change a derived id. Otherwise the schedule's due times would begin anew.
    @Test func anIDThatIsDerivedStaysWhenTheRestIsEdited() throws {
        let id = try readSchedule("cron = \"0 2 * * *\"").id
        #expect(Name.isValid(id))
        for text in [
            "command = [\"other\"]\ntries = 3\n[[schedule]]\ncron = \"0 2 * * *\"\njitter = 5\ncatch_up = \"all\"",
            "# moved\n\ncommand = \":\"\n[[schedule]]\nenabled = false\npayload = 1\ncron = \"0 2 * * *\"",
            "command = \":\"\ntimezone = \"UTC\"\n[[schedule]]\ncron = \"0 2 * * *\"\nnot_after = \"2030-01-01\"",
        ] {
            #expect(try readTask(text).schedules[0].id == id, "\(text)")
        }
        // The id is the same before and after other schedules.
        let among = try readTask("command = \":\"\n[[schedule]]\nevery = 5\n[[schedule]]\ncron = \"0 2 * * *\"")
        #expect(among.schedules[1].id == id)
        for other in ["cron = \"1 2 * * *\"", "cron = \"0 2 * * *\"\ntimezone = \"Europe/Berlin\"", "every = \"1 day\""] {
            #expect(try readSchedule(other).id != id, "\(other)")
        }
        #expect(try readSchedule("every = 5").id != readSchedule("every = 5\nfrom = \"start\"").id)
        #expect(try readSchedule("every = \"5m\"").id == readSchedule("every = \"PT5M\"").id)
    }

    static let duplicates: [([String], [String])] = [
        (["a", "a"], ["a", "a-2"]), (["a", "a", "a"], ["a", "a-2", "a-3"]), (["a", "b", "a"], ["a", "b", "a-2"]),
        (["a", "a-2", "a"], ["a", "a-2", "a-3"]), (["a", "a", "a-2"], ["a", "a-3", "a-2"]),
    ]

    @Test(arguments: duplicates)
    func ofEqualIDsTheSecondIsNumbered(given: [String], ids: [String]) throws {
        let text = "command = \":\"\n" + given.map { "[[schedule]]\nid = \"\($0)\"\nevery = 5\n" }.joined()
        #expect(try readTask(text).schedules.map(\.id) == ids)
    }

    @Test func aFileInSchedulesNamesItsTask() throws {
        let (task, schedule) = try ScheduleDefinition.file(
            id: "k3f9ab", source: toml("task = \"backup\"\nat = \"2026-12-24T18:00:00Z\""), context)
        #expect(task == "backup" && schedule.id == "k3f9ab")
        #expect(schedule.once == instant("2026-12-24T18:00:00.000Z"))
    }

    static let refusedFiles: [Refused] = [
        Refused("every = 5", "1:1: no task is named; add task = \"NAME\""),
        Refused("task = \"backup\"", "1:1: a schedule needs one of cron, calendar, rrule, every, at, pattern, on_path"),
        Refused("task = 5\nevery = 5", "1:8: task must be a name, not a whole number"),
        Refused(
            "task = \"../x\"\nevery = 5",
            #"1:8: task "../x" is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -"#),
        Refused("task = \"a\"\nevery = 5\ncommand = \":\"", #"3:1: unknown key "command""#),
        Refused("task = \"a\"\nevery = 5\nid = \"x\"", #"3:1: unknown key "id""#),
    ]

    @Test(arguments: refusedFiles)
    func aFileInSchedulesThatCannotBeUsedSaysWhereAndWhy(_ form: Refused) {
        #expect(problems { _ = try ScheduleDefinition.file(id: "x", source: toml(form.text), context) } == form.errors)
    }
}
