import Documents
import Glibc
import Testing

/// `doctor` says what an installation lacks.
@Suite("doctor", .ownThreads)
struct DoctorTests {
    /// The findings, by check.
    private func findings(_ spool: SpoolUnderTest) throws -> (code: Int32, byCheck: [String: Table]) {
        let result = try spool.ctl("doctor", "--json")
        var byCheck: [String: Table] = [:]
        for object in try result.objects { byCheck[object.text("check") ?? ""] = object }
        return (result.code, byCheck)
    }

    @Test("A working installation has no failure, and each line begins with ok, warn or fail")
    func works() throws {
        let spool = try SpoolUnderTest()
        let result = try spool.ctl("doctor")
        #expect(result.code == 0, "\(result)")
        for check in ["spool", "daemon", "version", "worker", "configuration", "time zones", "space"] {
            #expect(result.output.contains("ok\t\(check)\t"), "\(check): \(result.output)")
        }
        for line in result.lines {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            #expect(fields.count == 4 && ["ok", "warn"].contains(fields[0]) && (fields[0] == "ok") == fields[3].isEmpty, "\(line)")
        }
        #expect(try spool.ctl("doctor", "-q").output.isEmpty)
    }

    @Test("Without a daemon, without a spool, with a bad configuration or without a worker it fails, and says what to do")
    func fails() throws {
        let spool = try SpoolUnderTest()
        try Files.write(spool.configuration, "slots = \"many\"\n")
        try spool.wait(for: "the refusal") { try findings(spool).byCheck["configuration"]?.text("state") == "fail" }
        try Files.write(spool.configuration, "mail_command = [\"/nowhere/sendmail\"]\nmail = \"root\"\n")
        try spool.wait(for: "the new configuration") { try findings(spool).byCheck["configuration"]?.text("state") == "ok" }
        let mail = try findings(spool)
        #expect(mail.code == 1 && mail.byCheck["mail"]?.text("state") == "fail")
        #expect(mail.byCheck["mail"]?.text("message")?.hasPrefix("/nowhere/sendmail cannot be run") == true)
        try Files.write(spool.configuration, "min_free_space = \"1000000G\"\n")
        try spool.wait(for: "no space") { try findings(spool).byCheck["space"]?.text("state") == "fail" }
        try Files.write(spool.configuration, "")
        try spool.stop()
        let down = try findings(spool)
        #expect(down.code == 1 && down.byCheck["daemon"]?.text("state") == "fail" && down.byCheck["daemon"]?.text("remedy") != nil)
        #expect(try spool.ctl("doctor", "-q").lines == ["daemon"])
        try Commands.succeed("chmod", "0777", "\(spool.path)/tasks")
        #expect(try findings(spool).byCheck["spool"]?.text("state") == "fail")
        let none = try Commands.run("\(SpoolUnderTest.programs)/spoolctl", ["--spool", "\(spool.base)/nowhere", "doctor"])
        #expect(none.code == 1 && none.output.hasPrefix("fail\tspool\tthere is no spool at "), "\(none)")
    }

    @Test("The problems that the daemon has found in files are among the findings until they are gone")
    func problems() throws {
        let spool = try SpoolUnderTest()
        for number in 0..<12 { try spool.task("t\(number)", "command = 'true'\nnonsense = 1\n") }
        func found() throws -> [String] { try spool.ctl("doctor").lines.filter { $0.hasPrefix("warn\tproblems\t") } }
        try spool.wait(for: "all problems") { try found().last?.contains("\tproblems\t2 more\t") == true }
        #expect(try found().count == 11 && found()[0].contains("tasks/t0.toml:2:1: "))
        for number in 0..<12 { try Files.remove("\(spool.path)/tasks/t\(number).toml") }
        try spool.wait(for: "no problem") { try found().isEmpty }
    }

    @Test("A missing worker is a failure, and doctor runs no program that stands beside the daemon")
    func worker() throws {
        let spool = try SpoolUnderTest(starting: false)
        let programs = "\(spool.base)/bin"
        try Commands.succeed("sh", "-c", "mkdir \(programs) && cp \(SpoolUnderTest.programs)/spoolctl \(programs)")
        func state() throws -> String? {
            let result = try Commands.run("\(programs)/spoolctl", ["--spool", spool.path, "doctor"])
            return result.output.split(separator: "\n").map(String.init).first { $0.contains("\tworker\t") }
        }
        #expect(try state()?.hasPrefix("fail\tworker\tneither \(programs)/spool-worker nor ") == true)
        try Commands.succeed("cp", "\(SpoolUnderTest.programs)/spool-worker", programs)
        try Files.write("\(programs)/spoold", "#!/bin/sh\necho > \(spool.out)/ran\n", mode: 0o755)
        #expect(try state()?.hasPrefix("ok\tworker\t") == true)
        #expect(!Files.exists("\(spool.out)/ran"))
        // A package has the worker in libexec.
        let libexec = "\(spool.base)/libexec/spoold"
        try Commands.succeed("sh", "-c", "mkdir -p \(libexec) && mv \(programs)/spool-worker \(libexec)")
        #expect(try state()?.hasPrefix("ok\tworker\t\(libexec)/spool-worker") == true)
    }
}
