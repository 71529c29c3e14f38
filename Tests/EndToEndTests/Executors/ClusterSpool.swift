import Glibc
import Linux

/// A spool whose jobs run on a real cluster of Slurm, through the built spoold and the executor as it is installed.
///
/// Slurm's programs are called by way of a shim. It writes a line to `out/calls` for each call, so that a test that waits is woken up, and
/// can lose an answer.
final class ClusterSpool {
    let cluster: SlurmCluster
    let spool: SpoolUnderTest
    private let shim: String

    /// - Parameters:
    ///   - words: options of Tests/slurm/cluster.
    ///   - settings: further lines of [executors.slurm].
    init(_ words: [String] = [], settings: String = "") throws {
        cluster = try SlurmCluster(words)
        shim = "\(cluster.base)/shim"
        let configuration = """
            slots = 2
            [executors.slurm]
            conf = "\(cluster.configuration)"
            path = "\(shim):/usr/bin:/bin"
            poll = "300ms"
            lag = "3s"
            find_grace = "3s"
            \(settings)

            """
        spool = try SpoolUnderTest(configuration: configuration, starting: false)
        try spool.install(executor: "slurm")
        try Files.makeDirectory(shim)
        for name in ["sbatch", "squeue", "scancel", "sacct", "scontrol"] {
            let text = """
                #!/bin/sh
                echo \(name) >> '\(spool.out)/calls'
                echo "$(date +%T.%N) $$ \(name) $*" >> '\(shim)/arguments'
                if rmdir '\(shim)/drop-\(name)' 2> /dev/null; then kill -9 $$; fi
                if rmdir '\(shim)/delay-\(name)' 2> /dev/null; then sleep 3; fi
                if rmdir '\(shim)/twice-\(name)' 2> /dev/null; then
                    input=$(mktemp '\(shim)/input.XXXXXX')
                    cat > "$input"
                    /usr/bin/\(name) "$@" < "$input" > /dev/null 2>&1
                    exec /usr/bin/\(name) "$@" < "$input"
                fi
                if rmdir '\(shim)/lose-\(name)' 2> /dev/null; then /usr/bin/\(name) "$@" > /dev/null 2>&1; kill -9 $$; fi
                exec /usr/bin/\(name) "$@"

                """
            try Files.write("\(shim)/\(name)", text, mode: 0o755)
        }
        try spool.start()
    }

    /// What happens to a call of a program of Slurm.
    enum CallFault: String, CaseIterable {
        /// It dies before it does anything.
        case drop
        /// It dies when it has done all that was asked.
        case lose
        /// It comes three seconds later.
        case delay
        /// It comes twice, and the second has the answer.
        case twice
    }

    /// Has the next call of this program of Slurm go so, unless that is to be already.
    func set(_ fault: CallFault, _ program: String) throws {
        let path = "\(shim)/\(fault.rawValue)-\(program)"
        if !Files.exists(path) { try Files.makeDirectory(path) }
    }

    /// The calls of Slurm's programs with their arguments, and what slurmctld has done about jobs.
    var story: String {
        get throws {
            let log = try Files.text("\(cluster.base)/log/slurmctld.log").split(separator: "\n").filter { line in
                ["JobId=", "Terminate", "started on"].contains { line.contains($0) }
            }
            return try Files.text("\(shim)/arguments") + log.joined(separator: "\n")
        }
    }

    func submit(_ command: String, _ words: String...) throws -> String { try submit(command, words) }

    func submit(_ command: String, _ words: [String]) throws -> String {
        try spool.submit(to: "slurm", command, words)
    }

    /// Waits for the end of a job.
    func end(_ id: String) throws -> FoundJob {
        try spool.end(ofID: id)
    }

    /// Waits until `spoolctl why` says this of a job, and returns its answer.
    @discardableResult
    func why(_ id: String, _ words: String...) throws -> String {
        try spool.wait(for: "why \(id) to say \(words)") { () throws -> String? in
            let text = try spool.ctl("why", id).output
            return words.allSatisfy { text.contains($0) } ? text : nil
        }
    }

    /// The jobs that Slurm has and that have not ended, by name and state.
    func queue() throws -> [String] {
        try cluster.run("squeue", "-h", "-o", "%j %T").output.split(separator: "\n").map(String.init)
    }

    /// Has Slurm use the nodes again that it has taken out of service itself, as its operator does. A slurmctld that was killed and gives
    /// numbers again takes out each node that still has an older job of such a number. A node that still runs jobs is left alone.
    func resumeDoubted() throws {
        let lines = try cluster.run("sinfo", "-h", "-N", "-t", "drained", "-o", "%N %T %E").output.split(separator: "\n")
        for line in lines where line.hasSuffix(" drained Duplicate jobid") {
            try control("update", "NodeName=\(line.prefix { $0 != " " })", "State=RESUME")
        }
    }

    /// Calls scontrol as an operator of Slurm does.
    func control(_ words: String...) throws {
        let result = try Commands.run("env", ["SLURM_CONF=\(cluster.configuration)", "scontrol"] + words)
        guard result.code == 0 else { throw WaitFailed(description: "scontrol \(words): \(result)") }
    }

    /// Slurm's number of a running job, when spoold has it.
    func handle(_ id: String) throws -> String {
        try spool.wait(for: "the handle of \(id)") { try spool.job(id, in: "running")?.remote("handle") }
    }
}

extension FoundJob {
    /// A text of what the record says of the run at its engine.
    func remote(_ key: String) -> String? {
        guard case .table(let remote)? = status["remote"]?.kind else { return nil }
        return remote.text(key)
    }
}

extension SpoolUnderTest {
    /// Submits a job by `submit -w` and returns when it has ended. Its command waits until spoold has the handle of its run on record: a
    /// run may end before its executor has answered, and then none is.
    func submitOnRecord(_ options: String..., command: String, input: String? = nil) throws -> CtlResult {
        let gate = try gate("on-record")
        let ctl = try startCtl(["submit", "-w"] + options + ["--", "read go < \(gate.path); \(command)"], input: input)
        let id = try wait(for: "the job to run") { try self.jobs(in: "running").first }.id
        try watch("running/\(id)")
        _ = try wait(for: "the handle of \(id)") { try self.job(id, in: "running")?.remote("handle") }
        try gate.release()
        return try ctl.end()
    }

    /// Has another spoold take over: after a kill or a stop, by an upgrade of the program, or as a standby.
    func replaceDaemon(_ how: String) throws {
        switch how {
        case "crash", "stop":
            if how == "crash" { try crash() } else { try stop() }
            try start()
        case "upgrade":
            forgetNotifications()
            signal(SIGUSR2)
            try notification("RELOADING=1")
            try notification("READY=1")
        default:
            let standby = try standby()
            let seen = logLength
            try crash()
            lead(standby)
            try logLine("event=started", "pid=\(standby.pid)", after: seen)
        }
    }

    /// Submits a job to an executor. Returns its id.
    func submit(to executor: String, _ command: String, _ more: String...) throws -> String { try submit(to: executor, command, more) }

    func submit(to executor: String, _ command: String, _ more: [String]) throws -> String {
        let submitted = try ctl(list: ["submit", "--executor", executor] + more + ["--", command])
        guard submitted.code == 0 else { throw failure("submit: \(submitted)") }
        return submitted.id
    }

    /// Installs spoold with an executor beside its worker, as a package does.
    func install(executor: String) throws {
        installed = "\(base)/bin"
        for directory in ["bin", "bin/executors"] { try Files.makeDirectory("\(base)/\(directory)") }
        try Commands.succeed("cp", "\(Self.programs)/spoold", "\(installed)/spoold")
        try Files.symlink("\(Self.programs)/spool-worker", "\(installed)/spool-worker")
        try Files.symlink("\(Self.programs)/spool-executor", "\(installed)/executors/\(executor)")
    }
}
