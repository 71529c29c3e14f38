import Glibc
import Linux

/// The time that a shell waits for `spoolctl submit`.
extension Suite {
    func measureSubmit(_ name: String, on place: Place) throws {
        guard let control = programs.control else { throw Trouble.unavailable("spoolctl is not built") }
        let environment = BareProgram.environment
        let bare = BareProgram(["/bin/true"])
        let spool = try place.freshSpool()
        let output = "\(try place.fresh("submit"))/output"
        /// Submits jobs and returns the output: ids, one on each line.
        func submit(_ arguments: [String], input: String = "/dev/null") throws -> [UInt8] {
            let code = try system.run(
                control, ["--spool", spool, "submit"] + arguments, environment: environment, input: input, output: output,
                seconds: 120)
            let printed = try FileDescriptor.open(output, O_RDONLY).readAll(limit: .max)
            let what = "spoolctl submit \(arguments.joined(separator: " "))"
            guard code == 0 else { throw Trouble.unavailable("\(what) exited with \(code)") }
            guard printed.last == UInt8(ascii: "\n") else { throw Trouble.unavailable("\(what) printed no id") }
            return printed
        }

        let count = options.isSmoke ? 10 : 200
        var ours = Samples(), reference = Samples()
        try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            let ended = try EndedJobs(self, spool: spool)
            for number in 0..<count {
                reference.add(
                    try System.seconds {
                        _ = try bare.spawn()
                        try BareProgram.awaitOne()
                    } * 1000)
                ours.add(try System.seconds { _ = try submit(["--", "true"]) } * 1000)
                // Waits for each job, so that the jobs of earlier calls do not slow down the measured call.
                try ended.wait(for: number + 1, from: daemon, until: Deadline(seconds: 300))
            }
        }
        report.add(
            Row(
                measure: name, ours: "median \(decimal(ours.median)), p99 \(decimal(ours.percentile(99))) ms a call",
                reference: "posix_spawn of true, median \(decimal(reference.median)) ms",
                ratio: ours.median / reference.median, figure: (ours.median, "ms"), bar: "median below 2 ms", isMet: ours.median < 2))

        // Without a daemon this measures submitting alone.
        let lines = options.isSmoke ? 500 : 10_000
        let directory = try place.fresh("lines")
        try Directory.open(directory).writeFile("lines", Array(String(repeating: "true\n", count: lines).utf8))
        let seconds = try System.seconds {
            // Standard error has the remark that no daemon runs.
            let printed = try submit(["-q", "--lines"], input: "\(directory)/lines")
            let ids = printed.count { $0 == UInt8(ascii: "\n") }
            guard ids == lines else { throw Trouble.failed("spoolctl submit --lines printed \(ids) ids for \(lines) lines") }
        }
        report.add(Row(measure: "  --lines", ours: "\(lines) lines, \(perSecond(lines, in: seconds))"))
    }
}
