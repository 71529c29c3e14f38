import Linux
import Testing

/// `next` without names reads only the files of tasks that can be due first. It must show the same as when it is given all names.
@Suite("First due times", .ownThreads)
struct FirstDueTests {
    private static let tasks: [(name: String, text: String)] = [
        ("a", "[[schedule]]\ncron = \"*/5 * * * *\"\n"),
        ("b", "[[schedule]]\ncron = \"*/5 * * * *\"\n"),
        ("c", "[[schedule]]\ncron = \"30 9 * * thu\"\ntimezone = \"Asia/Tokyo\"\n[[schedule]]\ncron = \"@daily\"\n"),
        ("d", "timezone = \"America/New_York\"\n[[schedule]]\ncron = \"0 9 * * *\"\n"),
        ("e", "[[schedule]]\ncron = \"H H * * *\"\n"),
        ("f", "[[schedule]]\ncron = \"H H * * *\"\n"),
        ("g", "[[schedule]]\nevery = \"7 minutes\"\n"),
        ("h", "[[schedule]]\nevery = \"1 hour\"\nfrom = \"start\"\n"),
        ("i", "[[schedule]]\ncalendar = \"*-*-* 03:00\"\nexcept = \"holidays\"\nwhen_excluded = \"next\"\n"),
        ("j", "[[schedule]]\ncron = \"0 * * * *\"\nonly = \"night\"\n"),
        ("k", "[[schedule]]\nat = \"in 3 hours\"\n"),
        ("l", "[[schedule]]\ncron = \"0 0 31 2 *\"\n"),
        ("m", "[[schedule]]\non_path = \"/srv/in/*.csv\"\n"),
        ("n", "[[schedule]]\ncron = \"@reboot\"\n[[schedule]]\ncron = \"1 1 1 1 *\"\nenabled = false\n"),
        ("o", "description = \"\"\"\n[[schedule]]\n\"\"\"\n[[schedule]]\ncron = \"2 * * * *\"\n"),
        ("p", "description = \"no schedule\"\n"),
        ("q", "[[schedule]]\npattern = \"monday.09.00.00\"\n"),
        ("r", "[[schedule]]\ncron = \"30 2 * * *\"\ntimezone = \"Europe/Berlin\"\n"),
    ]

    @Test("next shows the same due times and remarks for all tasks as for each of them by name, whatever has changed since they were read")
    func sameAsByName() throws {
        let spool = try SpoolUnderTest(
            configuration: "[calendars.holidays]\ndates = [2026-12-25, 2027-01-01]\n[calendars.night]\nwindows = \"22:00-06:00\"\n",
            starting: false)
        for (name, text) in Self.tasks { try Files.write("\(spool.path)/tasks/\(name).toml", "command = [\"true\"]\n\(text)") }
        // The daemon trusts the stamp of a file that was changed some time before.
        try awaitClock(Clock.now() + 200)
        try spool.start()
        var names = Self.tasks.map(\.name)
        func compare(_ what: String) throws {
            for from in ["now", "2026-12-24 12:00", "2027-03-27 12:00", "2199-12-31 12:00"] {
                for count in ["0", "1", "2", "5", "40"] {
                    let options = ["--json", "-n", count] + (from == "now" ? [] : ["--from", from])
                    func answer(_ names: [String]) throws -> [String] {
                        let result = try spool.ctl(list: ["next"] + names + options)
                        // Without names the command also says that no daemon runs.
                        let remarks = result.errors.split(separator: "\n").filter { !$0.contains("spoold is not running") }
                        return ["\(result.code)", result.output] + remarks.map(String.init)
                    }
                    // A due time that passes between two calls changes the answer: then the same question has another answer afterwards.
                    let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
                    var (before, all, after): ([String], [String], [String])
                    repeat {
                        (before, all, after) = (try answer(names), try answer([]), try answer(names))
                    } while before != after && MonotonicInstant.now() < end
                    #expect(before == after, "always another answer: \(what), -n \(count) --from \(from)")
                    #expect(all == after, "\(what), -n \(count) --from \(from)")
                }
            }
        }
        try compare("as read")
        #expect(try spool.ctl("pause", "b", "--note", "lunch").code == 0)
        try compare("with a pause")
        try spool.stop()
        try compare("without a daemon")
        try Files.write("\(spool.path)/tasks/a.toml", "command = [\"true\"]\n[[schedule]]\ncron = \"0 0 * * *\"\n")
        try Files.write("\(spool.path)/tasks/c.toml", "command = \n")
        try Files.write("\(spool.path)/tasks/h.json", "{}")
        let seconds = "command = [\"true\"]\n[[schedule]]\ncron = \"* * * * * *\"\nnot_before = 2190-01-01\n"
        try Files.write("\(spool.path)/tasks/s.toml", seconds)
        try Files.write("\(spool.path)/tasks/u.toml", "command = [\"true\"]\n[[schedule]]\ncron = \"30 * * * * *\"\n")
        try Files.write("\(spool.path)/schedules/x.toml", "task = \"p\"\ncron = \"3 * * * *\"\n")
        try Commands.succeed("rm", "\(spool.path)/tasks/b.toml")
        names = names.filter { $0 != "b" } + ["s", "u"]
        try compare("after changes without a daemon")
        try spool.start()
        try compare("after the start")
    }
}
