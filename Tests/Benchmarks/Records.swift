import Glibc
import Linux

/// The time that commands take to read all records of ended jobs.
extension Suite {
    func measureRecords(_ name: String, on place: Place) throws {
        guard let control = programs.control else { throw Trouble.unavailable("spoolctl is not built") }
        let count = options.isSmoke ? 500 : 200_000
        let spool = try place.freshSpool()
        try makeRecords(count, in: spool)
        let output = "\(try place.fresh("records"))/output"
        func call(_ arguments: [String], lines: Int) throws -> Double {
            let seconds = try System.seconds {
                let code = try system.run(
                    control, ["--spool", spool] + arguments, environment: BareProgram.environment, input: "/dev/null", output: output,
                    seconds: 300)
                guard code == 0 else { throw Trouble.failed("spoolctl \(arguments.joined(separator: " ")) exited with \(code)") }
            }
            let printed = try FileDescriptor.open(output, O_RDONLY).readAll(limit: .max).count { $0 == UInt8(ascii: "\n") }
            guard printed == lines
            else { throw Trouble.failed("spoolctl \(arguments.joined(separator: " ")) printed \(printed) lines, not \(lines)") }
            return seconds
        }
        // One more line says that no daemon runs.
        let ofTask = try call(["jobs", "--task", "task7"], lines: count / 100 + 1)
        report.add(
            Row(
                measure: name, ours: "\(count) records: jobs --task \(decimal(ofTask)) s", figure: (ofTask, "s"),
                bar: "below 1 s", isMet: ofTask < 1))
        func add(_ measure: String, _ seconds: Double) {
            report.add(Row(measure: "  \(measure)", ours: "\(decimal(seconds)) s", figure: (seconds, "s")))
        }
        add("jobs --json", try call(["jobs", "--json"], lines: count + 2))
        add("jobs --count", try call(["jobs", "--count"], lines: 1))
        add("prune --dry-run", try call(["prune", "--dry-run", "--quiet"], lines: 0))
    }

    /// Creates records as a daemon leaves them: of a hundred tasks, one record each second until now.
    private func makeRecords(_ count: Int, in spool: String) throws {
        let root = try Directory.open(spool)
        try root.makeDirectory("state")
        try root.writeFile("state/format", Array("spoold spool format 1\n".utf8))
        let done = try root.openDirectory("done")
        let now = time(nil)
        for number in 0..<count {
            var seconds = now - count + number
            var parts = tm()
            gmtime_r(&seconds, &parts)
            func text(_ format: String) -> String {
                var buffer = [CChar](repeating: 0, count: 64)
                let length = strftime(&buffer, buffer.count, format, &parts)
                return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            }
            let task = "task\(number % 100)"
            let id = "\(text("%Y%m%dT%H%M%S.000Z"))-\(task)-\(String(1_000_000 + number))"
            let at = "\"\(text("%Y-%m-%dT%H:%M:%S.000Z"))\""
            let json = """
                {"id":"\(id)","name":"\(task)","description":null,"task":"\(task)","schedule":"daily","state":"done","reason":null,\
                "error":null,"try":1,"tries":1,\
                "priority":0,"queue":"default","tags":[],"payload":null,"due":\(at),"created_at":\(at),"scheduled_at":\(at),\
                "started_at":\(at),"ended_at":\(at),\
                "changed_at":\(at),"not_before":\(at),"deadline":null,"exit_code":0,"signal":null,"progress":null,"result":null,\
                "usage":{"wall_s":0.002,"user_s":0,"sys_s":0.001,"max_rss_bytes":1000000},"delay_ms":1,"pid":12345,"host":"h",\
                "retry_of":null,"parent":null,\
                "paths":[],"keep_ms":null}

                """
            try done.makeDirectory(id)
            try done.writeFile("\(id)/status.json", Array(json.utf8))
        }
    }
}
