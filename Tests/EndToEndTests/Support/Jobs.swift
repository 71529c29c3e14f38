// Drops jobs, and finds their results.

import CLinux
import Documents
import Glibc
import Linux

/// A job's directory as it was found, with its `status.json`. Keeps the spool alive, so that its files can be read.
struct FoundJob {
    let id: String
    /// The directory that it is in: `new`, `running`, `done` or `failed`.
    let place: String
    let status: Table
    let spool: SpoolUnderTest

    var directory: String { "\(spool.path)/\(place)/\(id)" }

    func text(_ file: String) throws -> String { try Files.text("\(directory)/\(file)") }
    var stdout: String { get throws { try text("stdout") } }
    var stderr: String { get throws { try text("stderr") } }
    var files: [String] { get throws { try Files.list(directory) } }

    func string(_ key: String) -> String? {
        guard case .string(let text)? = status[key]?.kind else { return nil }
        return text
    }

    func integer(_ key: String) -> Int? {
        guard case .integer(let number)? = status[key]?.kind else { return nil }
        return Int(number)
    }

    func isNull(_ key: String) -> Bool {
        if case .null? = status[key]?.kind { return true }
        return false
    }

    var reason: String? { string("reason") }
    var error: String { string("error") ?? "" }
    var exitCode: Int? { integer("exit_code") }
    var attempt: Int? { integer("try") }
    var due: String { string("due") ?? "" }

    /// The result in short: `done`, `failed exit 3`, `failed timeout`.
    var outcome: String {
        [place, reason, exitCode.map(String.init)].compactMap(\.self).joined(separator: " ")
    }
}

extension SpoolUnderTest {
    /// The name within an id: `20261121T020000.000Z-NAME-k3f9ab`.
    static func name(inID id: String) -> String? {
        guard id.utf8.count > 26, let dash = id.lastIndex(of: "-") else { return nil }
        let start = id.index(id.startIndex, offsetBy: 21)
        return dash > start ? String(id[start..<dash]) : nil
    }

    /// The job's directory, when both its `status.json` and its own file are in it.
    func job(_ id: String, in place: String) throws -> FoundJob? {
        let directory = "\(path)/\(place)/\(id)"
        do {
            // Each file is read by its name: a list of a directory in which a name is replaced may lack it.
            guard Files.exists("\(directory)/status.json"),
                ["job", "job.toml", "job.json"].contains(where: { Files.exists("\(directory)/\($0)") })
            else { return nil }
            guard case .table(let status) = try JSON.parse(try Files.bytes("\(directory)/status.json")).kind else {
                throw failure("\(directory)/status.json is no object")
            }
            return FoundJob(id: id, place: place, status: status, spool: self)
        } catch let error as SystemError where error.errno == ENOENT {
            return nil  // it moved on between the looks
        }
    }

    /// The jobs in a directory, those of one name or all, oldest first.
    func jobs(in place: String, named name: String? = nil) throws -> [FoundJob] {
        try Files.list("\(path)/\(place)")
            .filter { id in Self.name(inID: id).map { name == nil || $0 == name } ?? false }
            .compactMap { try job($0, in: place) }
    }

    /// The jobs that have ended, oldest first.
    func ended(_ name: String? = nil) throws -> [FoundJob] {
        try (jobs(in: "done", named: name) + jobs(in: "failed", named: name)).sorted { $0.id < $1.id }
    }

    /// Waits until this many jobs of this name have ended.
    @discardableResult
    func ended(_ name: String? = nil, count: Int) throws -> [FoundJob] {
        try wait(for: "\(count) ended jobs \(name ?? "")") { () throws -> [FoundJob]? in
            let found = try self.ended(name)
            return found.count >= count ? found : nil
        }
    }

    /// Waits for the one job of this name to end.
    func end(of name: String) throws -> FoundJob { try ended(name, count: 1)[0] }

    /// Waits for the end of a job.
    func end(ofID id: String) throws -> FoundJob { try wait(for: "the end of \(id)") { try job(id, in: "done") ?? job(id, in: "failed") } }

    /// Waits for a job of this name to be running.
    func running(_ name: String) throws -> FoundJob {
        try wait(for: "\(name) to run") { try self.jobs(in: "running", named: name).first }
    }

    /// Waits until the process of a running job is on record. The daemon writes its number about 50 ms after the job's start, and then
    /// nothing more into the job's directory until the end. Who copies, removes or checks the directory before may meet half a file.
    func onRecord(_ name: String) throws -> FoundJob {
        let id = try running(name).id
        // Nothing but a change in the job's own directory reports this.
        try watch("running/\(id)")
        return try wait(for: "the process of \(name) to be on record") { () throws -> FoundJob? in
            try self.job(id, in: "running").flatMap { $0.integer("pid") == nil ? nil : $0 }
        }
    }

    // MARK: Dropping

    /// Copies a directory into `new/` beside a daemon that stands still meanwhile. It takes a directory in which nothing has changed for
    /// one second, which on a busy machine may be a copy in its midst.
    func copyIntoNew(_ directory: String) throws {
        try pause()
        defer { signal(SIGCONT) }
        try Commands.succeed("cp", "-r", directory, "\(path)/new/")
    }

    /// Writes a file elsewhere and renames it into `new/`.
    func drop(_ file: String, _ text: String, mode: mode_t = 0o644) throws {
        try Files.write("\(path)/tmp/\(file)", text, mode: mode)
        try Files.rename("\(path)/tmp/\(file)", "\(path)/new/\(file)")
    }

    /// Drops a TOML file and waits for the job's end.
    func run(_ text: String, as name: String = "job") throws -> FoundJob {
        try drop("\(name).toml", text)
        return try end(of: name)
    }

    /// Drops a good job and waits for its success, to check that spoold still works.
    func runsOn(_ name: String = "next-good-job") throws -> Bool {
        try run("command = [\"true\"]", as: name).outcome == "done 0"
    }

    /// Drops the job `early`, which waits at the returned gate, and waits until its process is on record. Released, it ends with exit code
    /// 3.
    func jobAtGate() throws -> Gate {
        let gate = try gate()
        try drop("early.toml", "command = 'echo > \(out)/began; read x < \(gate.path); exit 3'")
        try output("began")
        _ = try onRecord("early")
        return gate
    }

    /// Writes a task's file elsewhere and renames it into `tasks/`.
    func task(_ name: String, _ text: String) throws { try define("tasks/\(name).toml", text) }

    /// Replaces any file of the spool by rename.
    func define(_ file: String, _ text: String) throws {
        try Files.write("\(path)/tmp/definition", text)
        try Files.rename("\(path)/tmp/definition", "\(path)/\(file)")
    }

    /// Defines a task and waits until spoold has it.
    func acceptedTask(_ name: String, _ text: String) throws {
        let seen = logLength
        try task(name, text)
        try logLine("event=defined", "file=tasks/\(name)", after: seen)
    }

    /// The present content of `state/status.json`.
    func daemonStatus() throws -> Table? {
        guard Files.exists("\(path)/state/status.json"),
            case .table(let table) = try JSON.parse(try Files.bytes("\(path)/state/status.json")).kind
        else { return nil }
        return table
    }
}
