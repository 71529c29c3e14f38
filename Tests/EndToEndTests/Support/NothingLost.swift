// These checks must hold after any number of crashes. They use only the lines that jobs write and the directories of records.
//
// A job's name shows what is promised for it: `fail-…` has on_crash = "fail", `retry-…` has "retry", and somebody tries to cancel
// `fail-cancel-…`.

import Documents
import Glibc
import Linux

/// One try of a job.
struct Attempt: Hashable {
    var id: String
    var number: Int
}

extension SpoolUnderTest {
    /// The program that jobs of these tests are: it appends `began ID TRY` to `out/runs`, works, and appends `ended ID TRY`. Each
    /// line is one write(2) at the end of the file. With `once` its first run fails, with `long` it takes a while.
    func makeCountingJob() throws -> String {
        let program = "\(base)/job"
        try Files.makeDirectory("\(base)/failed-once")
        chmod("\(base)/failed-once", 0o1777)
        let text = """
            #!/bin/sh
            echo "began $SPOOL_JOB_ID $SPOOL_TRY" >> '\(out)/runs'
            case $1 in
            once) mkdir "\(base)/failed-once/$SPOOL_JOB_ID" 2>/dev/null && exit 1 ;;
            long) sleep 0.1 ;;
            esac
            echo "ended $SPOOL_JOB_ID $SPOOL_TRY" >> '\(out)/runs'

            """
        try Files.write(program, text, mode: 0o755)
        return program
    }

    /// The faults of the jobs of this spool, as sentences. Called when nothing runs or waits any more.
    ///
    /// - Parameters:
    ///   - dropped: names of jobs whose file was dropped whole.
    ///   - acknowledged: ids that spoolctl has printed.
    ///   - canceled: ids of waiting jobs whose cancel request was answered.
    ///   - mayBeLost: true if workers were killed, too.
    func faults(dropped: [String], acknowledged: [String] = [], canceled: [String] = [], mayBeLost: Bool = true) throws -> [String] {
        var faults: [String] = []
        var begun: [Attempt: Int] = [:]
        var starts: [String: Int] = [:]
        var succeeded = Set<Attempt>()
        for line in try linesNow("runs") {
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 3, let number = Int(words[2]) else { throw failure("out/runs says \"\(line)\"") }
            let attempt = Attempt(id: words[1], number: number)
            if words[0] == "began" {
                begun[attempt, default: 0] += 1
                starts[attempt.id, default: 0] += 1
            } else {
                succeeded.insert(attempt)
            }
        }
        for (attempt, count) in begun where count > 1 { faults.append("try \(attempt.number) of \(attempt.id) began \(count) times") }

        var places: [String: FoundJob] = [:]
        var ids: [String: [String]] = [:]
        for place in ["new", "running", "done", "failed"] {
            for entry in try Files.list("\(path)/\(place)") {
                guard let name = Self.name(inID: entry), place == "done" || place == "failed", let job = try job(entry, in: place) else {
                    faults.append("\(place)/\(entry) is left")
                    continue
                }
                if let other = places[entry] { faults.append("\(entry) is in \(other.place) and in \(place)") }
                places[entry] = job
                ids[name, default: []].append(entry)
                let number = job.attempt ?? 0
                if place == "done" {
                    if !succeeded.contains(Attempt(id: entry, number: number)) { faults.append("done/\(entry) never said that it ended") }
                } else if name.hasPrefix("fail-cancel-"), job.reason == "canceled" {
                    continue
                } else if name.hasPrefix("retry-") || !mayBeLost || job.reason != "lost" {
                    faults.append("\(entry) is \(job.outcome): \(job.error)")
                }
                if name.hasPrefix("fail-"), starts[entry, default: 0] > 1 { faults.append("\(entry) began \(starts[entry] ?? 0) times") }
            }
        }
        for id in starts.keys where places[id] == nil { faults.append("\(id) ran and has no record") }
        for name in dropped where ids[name]?.count != 1 { faults.append("\(name) was dropped and has become \(ids[name] ?? [])") }
        for id in acknowledged where places[id] == nil { faults.append("\(id) was acknowledged and is nowhere") }
        for id in canceled {
            let outcome = places[id]?.outcome
            if outcome != "failed canceled" { faults.append("\(id) was canceled and is \(outcome ?? "nowhere")") }
            if starts[id] != nil { faults.append("\(id) was canceled while it waited, and began") }
        }
        return faults
    }

    /// True when nothing waits or runs. Each directory is listed twice, by turns: a job that is tried again moves from the second, after
    /// the first was listed, into the first, and a job moves back only when it is tried a third time.
    var isEmptied: Bool {
        get throws { try ["new", "running", "new", "running"].allSatisfy { try Files.list("\(path)/\($0)").isEmpty } }
    }

    /// The due seconds of a task's runs, from their records.
    func dueSeconds(of task: String) throws -> [Int] { try ended(task).map { try second($0.due) }.sorted() }

    /// Everything that people can see of the spool's jobs, and the lines that the jobs wrote.
    func picture() throws -> String {
        var text = try linesNow("runs").joined(separator: "\n") + "\n"
        for place in ["new", "running", "done", "failed", "tasks", "control"] {
            text += "\(place)\n" + Files.tree("\(path)/\(place)", indent: "  ")
            for id in try Files.list("\(path)/\(place)") where Files.exists("\(path)/\(place)/\(id)/status.json") {
                text += try Files.text("\(path)/\(place)/\(id)/status.json") + "\n"
            }
        }
        return text
    }

    /// Checks that fsck finds nothing and that another daemon has nothing to mend. No daemon runs before and after.
    func faultsOfAnotherStart() throws -> [String] {
        var faults: [String] = []
        func fsck() throws {
            let result = try ctl("fsck")
            if result.code != 0 || !result.output.isEmpty { faults.append("fsck: \(result.output)\(result.errors)") }
        }
        try fsck()
        let before = try picture()
        try start()
        try stop()
        let after = try picture()
        if before != after { faults.append("another start changed\n\(before)\nto\n\(after)") }
        try fsck()
        return faults
    }
}
