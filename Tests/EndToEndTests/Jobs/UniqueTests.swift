import Glibc
import Linux
import Testing

/// `unique` with `while = "active"`: a job holds its key while it waits or runs, and releases the key when it ends.
@Suite("Keys that are held while their jobs are active", .ownThreads)
struct UniqueTests {
    static let forms = ["options", "TOML", "JSON"]

    private func submit(_ spool: SpoolUnderTest, _ form: String, _ line: String, _ more: [String] = []) throws -> CtlResult {
        switch form {
        case "TOML": try Files.write("\(spool.base)/j.toml", "command = '\(line)'\nunique = {key = 'k/1', while = 'active'}\n")
        case "JSON":
            try Files.write("\(spool.base)/j.json", "{\"command\": \"\(line)\", \"unique\": {\"key\": \"k/1\", \"while\": \"active\"}}")
        default: return try spool.ctl(list: ["submit", "--unique", "k/1", "--unique-while", "active"] + more + [line])
        }
        return try spool.ctl(list: ["submit", "--file", "\(spool.base)/j.\(form.lowercased())"] + more)
    }

    @Test(
        "While the first job waits or runs its id is printed, with a remark; when it has ended the next one is a new job",
        arguments: forms
    )
    func active(_ form: String) throws {
        let spool = try SpoolUnderTest(configuration: "slots = 1\n")
        let before = try spool.gate("before")
        _ = try spool.ctl("submit", "echo > \(spool.out)/busy; read x < \(before.path)")
        try spool.output("busy")
        let gate = try spool.gate()
        let first = try submit(spool, form, "echo > \(spool.out)/began; read x < \(gate.path)")
        #expect(first.code == 0 && first.errors.isEmpty, "\(first)")
        func expectFirst() throws {
            let again = try submit(spool, form, "true")
            #expect(again.code == 0 && again.output == first.output, "\(again)")
            #expect(again.errors.contains("\(first.id) exists already") && again.errors.contains("nothing was submitted"), "\(again)")
        }
        try expectFirst()
        try before.release()
        try spool.output("began")
        try expectFirst()
        // After a crash the running job still holds the key.
        try spool.crash()
        try spool.start()
        try expectFirst()
        try gate.release()
        #expect(try spool.ctl("wait", first.id).code == 0)
        let next = try submit(spool, form, "exit 3", ["-w", "-q"])
        #expect(next.code == 3 && next.id != first.id, "\(next)")
        let third = try submit(spool, form, "true", ["-w", "-q"])
        #expect(third.code == 0 && third.id != next.id, "\(third)")
    }

    @Test("The key also holds for dropped files, and with recorded as long as the record is kept")
    func dropped() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let active = "unique = {key = 'k', while = 'active'}\n"
        try spool.drop("one.toml", "command = 'echo > \(spool.out)/began; read x < \(gate.path)'\n" + active)
        try spool.output("began")
        #expect(try spool.run("command = 'true'\n" + active, as: "two").outcome == "failed rejected")
        try gate.release()
        _ = try spool.end(of: "one")
        #expect(try spool.run("command = 'true'\n" + active, as: "three").outcome == "done 0")
        // The key is held as long as the keys of its holder say.
        let kept = try spool.run("command = 'true'\nunique = 'k'\n", as: "four")
        #expect(kept.outcome == "done 0")
        let five = try spool.run("command = 'true'\n" + active, as: "five")
        #expect(five.outcome == "failed rejected" && five.error.contains(kept.id), "\(five.error)")
        #expect(try spool.ctl("submit", "--unique", "k", "--unique-while", "active", "--", "true").id == kept.id)
    }

    @Test("submit -w waits for the job that holds the key, and shows its output")
    func waits() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let first = try submit(spool, "options", "echo mine; read x < \(gate.path); exit 7")
        let waiter = try spool.startCtl(["submit", "-w", "--unique", "k/1", "--", "true"])
        try waiter.awaitOutput("mine\n")
        try gate.release()
        let result = try waiter.end()
        #expect(
            result.code == 7 && result.errors.contains("\(first.id) exists already") && !result.errors.contains("submitted \(first.id)"),
            "\(result)")
    }

    @Test("Wrong values of unique are refused", arguments: [
        (["--unique-while", "active"], 2, "--unique"), (["--unique", "k", "--unique-while", "actve"], 4, "did you mean \"active\"?"),
        (["--unique", "", "--unique-while", "active"], 4, "is empty"),
    ] as [([String], Int32, String)])
    func refused(_ row: (options: [String], code: Int32, says: String)) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try spool.ctl(list: ["submit"] + row.options + ["--", "true"])
        #expect(result.code == row.code && result.errors.contains(row.says), "\(result)")
    }

    @Test("retry of a job whose key another holds is refused")
    func retried() throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        let first = try submit(spool, "options", "exit 3", ["-w", "-q"])
        let second = try submit(spool, "options", "read x < \(gate.path)")
        let result = try spool.ctl("retry", first.id)
        #expect(result.code == 1 && result.errors.contains("is taken by \(second.id)"), "\(result)")
        try gate.release()
        #expect(try spool.ctl("wait", second.id).code == 0)
        #expect(try spool.ctl("retry", "-w", first.id).code == 3)
    }
}
