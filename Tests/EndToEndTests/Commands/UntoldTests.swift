import Glibc
import Linux
import Testing

/// What was done and cannot be said on standard output is said on standard error, with a code of its own: whoever tries again must not
/// do it twice.
@Suite("Standard output that takes nothing", .ownThreads)
struct UntoldTests {
    static let calls: [(words: [String], says: String)] = [
        (["submit", "--", "true"], "queued as "), (["submit", "-q", "--", "true"], "queued as "),
        (["submit", "--json", "--", "true"], "queued as "),
        (["run", "t"], "queued as "), (["retry", "FAILED"], "queued as "), (["backfill", "t", "--from", "3h"], "queued as "),
        (["submit", "--lines", "LINES"], "queued as "),
        (["create", "-q", "new", "--", "true"], "created task new"), (["schedule", "t", "--every", "1h"], "schedule "),
        (["pause", "--json"], "paused "), (["cancel", "NEW"], "canceled"),
        (["delete", "-q", "-f", "t"], "deleted task t"),
        (["prune", "--older-than", "0s", "OLD"], "removed the record of "),
        (["prune", "-q", "--older-than", "0s", "OLD"], "removed the record of "),
        (["prune", "--json", "--older-than", "0s", "OLD"], "removed the record of "),
        (["restart"], "restarted spoold: version "), (["restart", "--json"], "restarted spoold: version "),
    ]

    @Test("It is said on standard error that it was done, with 6", arguments: calls, [">&-", ">/dev/full", "| true"])
    func untold(_ call: (words: [String], says: String), _ output: String) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = 'true'\noverlap = 'allow'\n[[schedule]]\ncron = '@hourly'\ncatch_up = 'none'")
        var words = call.words
        for (index, word) in words.enumerated() {
            if word == "FAILED" { words[index] = try spool.ctl("submit", "-w", "-q", "exit 3").id }
            if word == "OLD" { _ = try spool.ctl("submit", "-w", "-q", "true") }
            if word == "NEW" { words[index] = try spool.ctl("submit", "--in", "1h", "--", "true").id }
            if word == "LINES" {
                words[index] = "\(spool.base)/lines"
                try Files.write(words[index], "true\ntrue\n")
            }
        }
        // With a pipe, the code of the first is asked for when the second has gone.
        words.removeAll { $0 == "OLD" }
        let script =
            output == "| true"
            ? "mkfifo \"$0\"; : <\"$0\" & exec 4>\"$0\"; wait; exec \"$@\" >&4" : "exec \"$@\" \(output)"
        let line = ["-c", script, "\(spool.base)/pipe", SubmitWaitTests.ctl, "--config", spool.configuration] + words
        let result = try Commands.run("sh", line, environment: spool.environment)
        #expect(result.code == 6 && result.error.contains(call.says) && result.error.contains("standard output failed"), "\(result)")
        guard call.says == "queued as ", words[0] != "backfill" else { return }
        // It is what is there, and there is no more of it.
        let told = result.error.split(separator: "\n").compactMap { line in
            line.hasPrefix("spoolctl: queued as ") ? String(line.dropFirst(20)) : nil
        }
        #expect(told.count == (words.contains("--lines") ? 2 : 1))
        for id in told { #expect(try [0, 3].contains(spool.ctl("wait", id).code), "\(id)") }
    }

    @Test("A reader that goes away after the first id does not keep the others from being queued")
    func goneReader() throws {
        let spool = try SpoolUnderTest(starting: false)
        let script = "seq 1 5000 | \"$0\" --config \"$1\" submit --lines | head -n 1"
        _ = try Commands.run("sh", ["-c", script, SubmitWaitTests.ctl, spool.configuration], environment: spool.environment)
        #expect(try Files.list("\(spool.path)/new").count == 5000)
    }

    @Test("Standard error that takes nothing does not change what submit -w does", arguments: ["2>&-", "2>/dev/full"])
    func silentErrors(_ redirection: String) throws {
        let spool = try SpoolUnderTest()
        for code in [0, 3] {
            let script = "\"$0\" --config \"$1\" submit -w 'echo out; exit \(code)' </dev/null \(redirection)"
            let result = try Commands.run("sh", ["-c", script, SubmitWaitTests.ctl, spool.configuration], environment: spool.environment)
            #expect(result.output == "out\n" && result.code == (code == 0 && redirection != "2>&-" ? 125 : Int32(code)), "\(result)")
        }
    }

    @Test("What changes nothing fails with 1 where its output is not taken, and says why", arguments: [["jobs"], ["list"], ["next", "t"]])
    func reading(_ words: [String]) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = 'true'\n[[schedule]]\ncron = '@hourly'\ncatch_up = 'none'")
        _ = try spool.ctl("submit", "--in", "1h", "--", "true")
        let line = ["-c", "exec \"$@\" >/dev/full", "sh", SubmitWaitTests.ctl, "--config", spool.configuration] + words
        let result = try Commands.run("sh", line, environment: spool.environment)
        #expect(result.code == 1 && result.error.contains("write: No space left on device"), "\(result)")
    }
}
