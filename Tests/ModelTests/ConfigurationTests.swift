import Model
import TestSupport
import Testing

private func read(_ text: String) throws -> Configuration {
    try Configuration(Array(text.utf8), zones: zones, now: now)
}

@Suite struct ConfigurationTests {
    @Test func noKeyIsNeeded() throws {
        let configuration = try read("")
        #expect(configuration.slots == 8 && configuration.queueSlots.isEmpty && configuration.zone.name == "UTC")
        #expect(configuration.defaultTimeoutMilliseconds == nil && configuration.keepMilliseconds == 1_209_600_000)
        #expect(Configuration().slots == 8)
    }

    @Test func everyKeyIsRead() throws {
        let configuration = try read(
            """
            slots = 2
            timezone = "Europe/Berlin"
            default_timeout = "1h"
            keep = "30 days"
            journal_max = "200M"
            max_load = 4
            min_free_space = "2G"
            mail_command = ["/bin/mail", "-x"]
            [queues.gpu]
            slots = 1
            [queues.mail]
            slots = 4096
            """)
        #expect(configuration.slots == 2 && configuration.zone.name == "Europe/Berlin")
        #expect(configuration.defaultTimeoutMilliseconds == 3_600_000 && configuration.keepMilliseconds == 2_592_000_000)
        #expect(configuration.journalMaxBytes == 200 << 20)
        #expect(configuration.maxLoad == 4 && configuration.minFreeBytes == 2 << 30 && configuration.mailCommand == ["/bin/mail", "-x"])
        #expect(configuration.queueSlots == ["gpu": 1, "mail": 4096])
    }

    static let inherited: [(text: String, has: [String])] = [
        ("true", ["COLOUR", "PATH"]), ("false", []), ("[]", []), ("[\"COLOUR\", \"JOURNAL_STREAM\"]", ["COLOUR", "JOURNAL_STREAM"]),
    ]

    @Test(arguments: inherited) func variablesAreInherited(text: String, has: [String]) throws {
        let variables = try #require(try read("inherit_env = \(text)").inheritedVariables)
        let names = ["COLOUR", "PATH", "SPOOL_DIR", "SPOOLD_JOURNAL_SOCKET", "NOTIFY_SOCKET", "JOURNAL_STREAM"]
        #expect(names.filter(variables.has) == has)
        #expect(try read("").inheritedVariables == nil)
    }

    @Test func anExecutorHasItsOwnKeysAndGetsTheWholeTable() throws {
        let configuration = try read(
            """
            [queues.gpu]
            executor = "slurm"
            [executors.slurm]
            slots = 5
            poll = "10s"
            lost_after = "1h"
            partition = "long"
            [executors.ssh]
            hosts = ["a", "b"]
            """)
        #expect(configuration.queueExecutors == ["gpu": "slurm"] && configuration.queueSlots.isEmpty)
        let slurm = try #require(configuration.executors["slurm"])
        #expect(slurm.slots == 5 && slurm.pollMilliseconds == 10_000 && slurm.lostAfterMilliseconds == 3_600_000)
        #expect(slurm.isLostWithoutAnswer && slurm.lagMilliseconds == 30_000 && slurm.findGraceMilliseconds == 60_000)
        #expect(
            String(decoding: slurm.text, as: UTF8.self)
                == #"{"slots":5,"poll":"10s","lost_after":"1h","partition":"long"}"#)
        let ssh = try #require(configuration.executors["ssh"])
        #expect(ssh.slots == 1000 && !ssh.isLostWithoutAnswer && String(decoding: ssh.text, as: UTF8.self) == #"{"hosts":["a","b"]}"#)
    }

    static let refused: [Refused] = [
        Refused("executors = 3", "1:13: executors must be a table of executors, not a whole number"),
        Refused("executors.slurm = 3", "1:19: executors.slurm must be a table with slots, not a whole number"),
        Refused("[executors.local]\nslots = 1", "1:12: executor \"local\" is this machine; slots says how much it runs"),
        Refused("[executors.slurm]\nslots = 0", "2:9: slots is 0, outside 1 to 1000000"),
        Refused("[executors.slurm]\npoll = 0", "2:8: poll must be more than nothing"),
        Refused(
            "[queues.gpu]\nexecutor = \"a b\"",
            "2:12: executor \"a b\" is not a name: 1 to 64 of A-Z a-z 0-9 . _ -, not starting with . or -"),
        Refused("slots = 0", "1:9: slots is 0, outside 1 to 4096"),
        Refused("slots = 4097", "1:9: slots is 4097, outside 1 to 4096"),
        Refused("journal_max = \"15M\"", "1:15: journal_max must be at least 16M"),
        Refused("slots = \"8\"", "1:9: slots must be a whole number, not a string"),
        Refused("slot = 8", #"1:1: unknown key "slot"; did you mean "slots"?"#),
        Refused("timezone = \"Nowhere/Atall\"", #"1:12: timezone: unknown time zone "Nowhere/Atall""#),
        Refused("max_load = -1", "1:12: max_load is -1.0, outside 0.0 to 1000000.0"),
        Refused("mail = \"a\\nb\"", "1:8: mail must be an address, or several with commas between them, in printable ASCII"),
        Refused("mail = true", "1:8: mail must be an address, or several with commas between them, in printable ASCII"),
        Refused("on_failure = 3", "1:14: on_failure must be a task's name, a line for the shell, or a list of strings (an argv)"),
        Refused("mail_command = [\"mail\"]", "1:16: mail_command must begin with an absolute path"),
        Refused("crontab_root = \"srv\"", "1:16: crontab_root must be an absolute path"),
        Refused("crontab_catch_up = \"all\"", #"1:20: crontab_catch_up must be "none" or "last", not "all""#),
        Refused("inherit_env = 1", "1:15: inherit_env must be true, false or a list of names of variables, not a whole number"),
        Refused("inherit_env = [\"A=B\"]", "1:16: inherit_env must hold names of variables"),
        Refused(
            "inherit_env = [\"TZ\", \"SPOOL_DIR\"]",
            #"1:22: inherit_env names "SPOOL_DIR": variables that begin with SPOOL are spoold's own, and it sets those of jobs"#),
        Refused("queues = 3", "1:10: queues must be a table of queues, not a whole number"),
        Refused("queues.gpu = 3", "1:14: queues.gpu must be a table with slots, not a whole number"),
        Refused("[queues.gpu]\nslot = 3", #"2:1: unknown key "slot"; did you mean "slots"?"#),
        Refused("[queues.\"a b\"]\nslots = 3", #"1:9: queue "a b" is not a name"#),
        Refused("keep = \"x\"", #"1:8: keep: expected a number in the duration "x"; for example 90s, 1h30m, 2 days or PT1H30M"#),
        Refused(
            "slots = -1\ndefault_timeout = []", "1:9: slots is -1, outside 1 to 4096",
            #"2:19: default_timeout must be a duration such as "90s", "1h30m" or a number of seconds, not a list"#),
    ]

    @Test(arguments: refused)
    func aConfigurationThatCannotBeUsedSaysWhereAndWhy(_ form: Refused) {
        #expect(problems { _ = try read(form.text) } == form.errors)
    }
}
