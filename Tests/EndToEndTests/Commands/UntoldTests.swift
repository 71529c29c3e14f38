import Glibc
import Linux
import Testing

/// When standard output takes nothing, standard error says what was done, and the exit code is 6. Otherwise the caller would try
/// again and do it twice.
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

    @Test("Standard error says what was done, and the exit code is 6", arguments: calls, [">&-", ">/dev/full", "| true"])
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
        // A FIFO whose reader has ended stands for `| true`, so that the shell's exit code is that of spoolctl.
        words.removeAll { $0 == "OLD" }
        let script =
            output == "| true"
            ? "mkfifo \"$0\"; : <\"$0\" & exec 4>\"$0\"; wait; exec \"$@\" >&4" : "exec \"$@\" \(output)"
        let line = ["-c", script, "\(spool.base)/pipe", SubmitWaitTests.ctl, "--config", spool.configuration] + words
        let result = try Commands.run("sh", line, environment: spool.environment)
        #expect(result.code == 6 && result.error.contains(call.says) && result.error.contains("standard output failed"), "\(result)")
        guard call.says == "queued as ", words[0] != "backfill" else { return }
        // Each id on standard error is a job, and there are as many ids as jobs were submitted.
        let told = result.error.split(separator: "\n").compactMap { line in
            line.hasPrefix("spoolctl: queued as ") ? String(line.dropFirst(20)) : nil
        }
        #expect(told.count == (words.contains("--lines") ? 2 : 1))
        for id in told { #expect(try [0, 3].contains(spool.ctl("wait", id).code), "\(id)") }
    }

    @Test("A reader that ends after the first id does not keep the other jobs from being queued")
    func goneReader() throws {
        let spool = try SpoolUnderTest(starting: false)
        let script = "seq 1 5000 | \"$0\" --config \"$1\" submit --lines | head -n 1"
        _ = try Commands.run("sh", ["-c", script, SubmitWaitTests.ctl, spool.configuration], environment: spool.environment)
        #expect(try Files.list("\(spool.path)/new").count == 5000)
    }

    @Test("When standard error takes nothing, submit -w does the same", arguments: ["2>&-", "2>/dev/full"])
    func silentErrors(_ redirection: String) throws {
        let spool = try SpoolUnderTest()
        for code in [0, 3] {
            let script = "\"$0\" --config \"$1\" submit -w 'echo out; exit \(code)' </dev/null \(redirection)"
            let result = try Commands.run("sh", ["-c", script, SubmitWaitTests.ctl, spool.configuration], environment: spool.environment)
            #expect(result.output == "out\n" && result.code == (code == 0 && redirection != "2>&-" ? 125 : Int32(code)), "\(result)")
        }
    }

    @Test("Commands that change nothing exit with 1 when nobody takes their output", arguments: [["jobs"], ["list"], ["next", "t"]])
    func reading(_ words: [String]) throws {
        let spool = try SpoolUnderTest()
        try spool.acceptedTask("t", "command = 'true'\n[[schedule]]\ncron = '@hourly'\ncatch_up = 'none'")
        _ = try spool.ctl("submit", "--in", "1h", "--", "true")
        let line = ["-c", "exec \"$@\" >/dev/full", "sh", SubmitWaitTests.ctl, "--config", spool.configuration] + words
        let result = try Commands.run("sh", line, environment: spool.environment)
        #expect(result.code == 1 && result.error.contains("write: No space left on device"), "\(result)")
    }
}
