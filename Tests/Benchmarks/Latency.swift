import Glibc
import Linux
import Recurrence

/// A job that prints the time of its beginning: `date` prints the wall clock in nanoseconds. The time to load `date` counts for
/// the job and for the bare program.
enum Stamp {
    static let words = ["/bin/date", "+%s%N"]
    static let key = "command = [\"/bin/date\", \"+%s%N\"]\n"

    /// The time that a job has written to this file, in nanoseconds since 1970.
    static func read(_ path: String) throws -> Int64 {
        let text = String(decoding: try FileDescriptor.open(path, O_RDONLY).readAll(limit: .max), as: UTF8.self)
        guard let stamp = Int64(text.prefix { $0 != "\n" }), stamp > 1_000_000_000_000_000_000 else {
            throw Trouble.unavailable("/bin/date does not know %N")
        }
        return stamp
    }
}

/// Measures the time from a file's arrival to the beginning of its job, and from a due time to the beginning of the run.
extension Suite {
    private static let jobGuardSeconds = 300.0

    func measureLatency(_ name: String, on place: Place) throws {
        let spool = try place.freshSpool()
        let bare = BareProgram(Stamp.words)
        let job = Array(Stamp.key.utf8)
        let stampPath = "\(try place.fresh("bare"))/stamp"
        var ours = Samples(), reference = Samples()
        try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            let ended = try EndedJobs(self, spool: spool)
            let from = try Directory.open("\(spool)/tmp")
            let to = try Directory.open("\(spool)/new")
            for number in 0..<(options.isSmoke ? 20 : 200) {
                // The bare program and the job run in turn, and never at the same time.
                try system.pause(milliseconds: 5)
                let output = try FileDescriptor.open(stampPath, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
                let spawned = System.wallNanoseconds()
                _ = try bare.spawn(output: output.raw)
                try BareProgram.awaitOne()
                reference.add(Double(try Stamp.read(stampPath) - spawned) / 1e6)

                try from.writeFile("\(number).toml", job)
                try system.pause(milliseconds: 5)
                let dropped = System.wallNanoseconds()
                try from.rename("\(number).toml", into: to, as: "\(number).toml")
                try ended.wait(for: number + 1, from: daemon, until: Deadline(seconds: Self.jobGuardSeconds))
                let stamp = try Stamp.read("\(spool)/done/\(ended.ids[number])/stdout")
                ours.add(Double(stamp - dropped) / 1e6)
            }
        }
        func line(_ samples: Samples) -> String {
            "median \(decimal(samples.median)), p99 \(decimal(samples.percentile(99))) ms"
        }
        let ratio = ours.median / reference.median
        report.add(
            Row(
                measure: name, ours: line(ours), reference: "posix_spawn \(line(reference))", ratio: ratio, figure: (ours.median, "ms"),
                bar: "below 1.80, p99 below 4 ms", isMet: ratio < 1.8 && ours.percentile(99) < 4))
    }

    func measurePunctuality(_ name: String, on place: Place) throws {
        let count = options.isSmoke ? 5 : 60
        let spool = try place.freshSpool()
        let task = Stamp.key + "[[schedule]]\ncron = \"* * * * * *\"\n"
        try Directory.open("\(spool)/tasks").writeFile("tick.toml", Array(task.utf8))
        var late = Samples()
        var dues: [Int64] = []
        try DaemonUnderTest.serve(self, spool: spool) { daemon in
            try daemon.awaitReady()
            let ended = try EndedJobs(self, spool: spool)
            try ended.wait(for: count, from: daemon, until: Deadline(seconds: Double(count) + Self.jobGuardSeconds))
            for id in ended.ids.prefix(count) {
                let due = try due(of: "\(spool)/done/\(id)")
                dues.append(due)
                late.add(Double(try Stamp.read("\(spool)/done/\(id)/stdout") - due * 1_000_000) / 1e6)
            }
        }
        let early = late.values.count { $0 < 0 }
        let isGapless = zip(dues, dues.dropFirst()).allSatisfy { $1 - $0 == 1000 }
        report.add(
            Row(
                measure: name,
                ours: "p50 \(decimal(late.median)), p99 \(decimal(late.percentile(99))), max \(decimal(late.largest)) ms",
                reference: "\(count) due times\(isGapless ? "" : ", NOT EACH SECOND"), \(early) early",
                figure: (late.percentile(99), "ms"),
                bar: "p99 below 3 ms, none early", isMet: late.percentile(99) < 3 && early == 0 && isGapless))
    }

    /// The due time of a job from its status.json, in milliseconds since 1970.
    private func due(of directory: String) throws -> Int64 {
        let text = String(decoding: try Directory.open(directory).readFile("status.json", limit: .max), as: UTF8.self)
        let words = text.split(separator: "\"")
        guard let key = words.firstIndex(of: "due"), key + 2 < words.endIndex else {
            throw Trouble.failed("\(directory)/status.json has no due time")
        }
        return try Instant.parse(String(words[key + 2]), zone: .utc, now: Instant(milliseconds: 0)).milliseconds
    }
}
