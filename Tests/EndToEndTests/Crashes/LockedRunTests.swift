// Runs of an earlier daemon whose worker is alive, but does not match its record in the eyes of the next daemon.

import Glibc
import Linux
import Testing

@Suite("Workers that are hard to recognize", .ownThreads)
struct LockedRunTests {
    /// The worker's process, as the next daemon sees it.
    enum View: String, CaseIterable {
        /// The process has another start time than the record.
        case otherTimeNamespace, otherStartOnRecord
        /// The process has another pid than the record.
        case otherNumberOnRecord
        /// The process is invisible.
        case otherProcessNamespace

        /// The command that starts the daemon in this view. Empty when the record is changed instead.
        var launcher: [String] {
            switch self {
            case .otherTimeNamespace: ["/usr/bin/unshare", "-T", "--boottime", "100000", "--fork", "--kill-child"]
            case .otherProcessNamespace: ["/usr/bin/unshare", "-m", "-p", "--mount-proc", "--fork", "--kill-child"]
            case .otherStartOnRecord, .otherNumberOnRecord: []
            }
        }

        /// True if such a daemon can be started here. Otherwise the reason is printed.
        var isPossible: Bool {
            if launcher.isEmpty || (try? Commands.run(launcher[0], Array(launcher.dropFirst()) + ["true"]).code) == 0 { return true }
            print("skipped: \(rawValue) needs root and namespaces")
            return false
        }

        var canBeStopped: Bool { self != .otherProcessNamespace }
    }

    /// A spool whose job `job` runs and waits at the gate, served by a daemon that did not start the job.
    private func spool(_ view: View) throws -> (SpoolUnderTest, Gate) {
        let spool = try SpoolUnderTest()
        let gate = try spool.gate()
        try spool.drop(
            "job.toml",
            """
            command = 'echo start >> \(spool.out)/starts; read x < \(gate.path)'\ntries = 3\nretry_on = ['lost']\non_crash = 'retry'\n\
            backoff = '0s'
            """)
        try spool.lines("starts", count: 1)
        _ = try spool.wait(for: "the job's process to be on record") {
            let words = try Files.text(ProcessAttackTests.record(spool)).split(separator: " ")
            return words.count > 6 && words[6] != "0" ? true : nil
        }
        try spool.crash()
        let record = try ProcessAttackTests.record(spool)
        switch view {
        case .otherStartOnRecord: try ProcessAttackTests.rewrite(record, 5, "17")
        case .otherNumberOnRecord: try ProcessAttackTests.rewrite(record, 4, "\(getpid())")
        case .otherTimeNamespace, .otherProcessNamespace: break
        }
        try spool.launch(tracer: view.launcher)
        try spool.notification("READY=1")
        return (spool, gate)
    }

    @Test("A run whose worker's record is locked is alive: it is not lost, and does not run twice", arguments: View.allCases)
    func alive(_ view: View) throws {
        guard view.isPossible else { return }
        let (spool, gate) = try spool(view)
        try spool.logLine("event=adopted", "-job-")
        #expect(try !spool.ctl("why", try spool.running("job").id).output.contains("gone"))
        #expect(try spool.runsOn(), "another job takes another worker's record")
        try gate.release()
        #expect(try spool.end(of: "job").outcome == "done 0")
        #expect(try spool.linesNow("starts") == ["start"])
    }

    @Test("Such a run can be canceled if its worker is visible; otherwise the log has the reason", arguments: View.allCases)
    func canceled(_ view: View) throws {
        guard view.isPossible else { return }
        let (spool, gate) = try spool(view)
        let id = try spool.running("job").id
        #expect(try spool.ctl("cancel", id).code == 0)
        if !view.canBeStopped {
            try spool.logLine("event=stop-not-sent", id)
            try gate.release()
        }
        #expect(try spool.end(of: "job").reason == "canceled")
        #expect(try spool.linesNow("starts") == ["start"])
    }
}
