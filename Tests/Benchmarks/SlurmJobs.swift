import CLinux
import Glibc
import Linux
import TestSupport

/// Jobs that go to a real cluster of Slurm on this machine, by spoold and by plain sbatch in a loop.
extension Suite {
    private var slurmCount: Int { options.isSmoke ? 20 : 1000 }
    private static let slurmGuardSeconds = 600.0

    func measureSlurm(_ name: String, on place: Place) throws {
        let cluster = try BenchmarkCluster(self)
        let result = Result { try slurmRows(name, cluster, on: place) }
        try cluster.stop()
        for row in try result.get() { report.add(row) }
    }

    private func slurmRows(_ name: String, _ cluster: BenchmarkCluster, on place: Place) throws -> [Row] {
        let count = slurmCount
        // In turn, so that what the cluster remembers counts for both.
        let before = try sbatchLoop(count, cluster, on: place)
        let ours = try spooledToSlurm(count, cluster, on: place)
        let theirs = (before + (try sbatchLoop(count, cluster, on: place))) / 2
        return [
            Row(
                measure: "\(name), dropped to run", ours: "\(count) jobs, \(perSecond(count, in: ours.run))",
                reference: "sbatch in a loop, \(perSecond(count, in: theirs))", ratio: theirs / ours.run, bar: "1.00",
                isMet: ours.run <= theirs),
            Row(
                measure: "\(name), dropped to recorded", ours: "\(count) jobs, \(perSecond(count, in: ours.recorded))",
                reference: "the same", ratio: theirs / ours.recorded),
        ]
    }

    /// The seconds until the last of so many jobs has run that a shell's loop gives to sbatch.
    private func sbatchLoop(_ count: Int, _ cluster: BenchmarkCluster, on place: Place) throws -> Double {
        let directory = try place.fresh("sbatch")
        let runs = try Runs(self, "\(directory)/runs")
        let script = "#!/bin/sh\\n\(runs.line)\\n"
        let one = "printf '\(script)' | sbatch --parsable --output=/dev/null || exit"
        let loop = "i=0; while [ $i -lt \(count) ]; do \(one); i=$((i + 1)); done"
        return try System.seconds {
            let code = try system.run("/bin/sh", ["-c", loop], environment: cluster.environment, seconds: Self.slurmGuardSeconds)
            guard code == 0 else { throw Trouble.failed("sbatch failed") }
            try runs.wait(for: count, until: Deadline(seconds: Self.slurmGuardSeconds))
        }
    }

    /// The seconds until the last of so many dropped jobs has run, and until the last end was recorded.
    private func spooledToSlurm(_ count: Int, _ cluster: BenchmarkCluster, on place: Place) throws -> (run: Double, recorded: Double) {
        let spool = try place.freshSpool()
        let runs = try Runs(self, "\(try place.fresh("slurm"))/runs")
        let directory = try Directory.open(spool)
        let configuration = "[executors.slurm]\nslots = \(count)\nconf = \"\(cluster.configuration)\"\n"
        return try DaemonUnderTest.serve(self, spool: spool, configuration: configuration) { daemon in
            try daemon.awaitReady()
            // The name of the program is the engine.
            let words = ["-D", "\(programs.directory)/spool-executor", "\(spool)/executors/slurm"]
            guard try system.run("/usr/bin/install", words, environment: BareProgram.environment) == 0 else {
                throw Trouble.unavailable("there is no spool-executor beside spoold; build it")
            }
            let ended = try EndedJobs(self, spool: spool)
            let job = Array("command = '\(runs.line); exit'\nexecutor = \"slurm\"\n".utf8)
            let deadline = Deadline(seconds: Self.slurmGuardSeconds)
            var run = 0.0
            let recorded = try System.seconds {
                run = try System.seconds {
                    for number in 0..<count {
                        try directory.writeFile("tmp/job-\(number).toml", job)
                        try directory.rename("tmp/job-\(number).toml", to: "new/job-\(number).toml")
                    }
                    try runs.wait(for: count, until: deadline)
                }
                try ended.wait(for: count, from: daemon, until: deadline)
            }
            return (run, recorded)
        }
    }
}

/// Runs of jobs, each of which adds a line to a file.
private final class Runs {
    let line: String
    private let system: System
    private let path: String
    private let inotify: Inotify

    init(_ suite: Suite, _ path: String) throws {
        self.path = path
        system = suite.system
        line = "echo >> \(path)"
        try FileDescriptor.open(path, O_WRONLY | O_CREAT, mode: 0o600).write([])
        inotify = try Inotify()
        _ = try inotify.add(path, .modified)
    }

    func wait(for count: Int, until deadline: Deadline) throws {
        var events: [InotifyEvent] = []
        while true {
            let file = try FileDescriptor.open(path, O_RDONLY)
            let size = try file.status().size
            if size >= Int64(count) { return }
            guard try system.wait(for: [inotify.descriptor.raw], until: deadline) != nil || !deadline.isOver else {
                throw Trouble.failed("\(size) of \(count) jobs have run")
            }
            events.removeAll(keepingCapacity: true)
            _ = try inotify.readEvents(into: &events)
        }
    }
}

/// A cluster of Tests/slurm/cluster.
private final class BenchmarkCluster {
    private let script: String
    private let directory: String
    private let system: System
    private static let startSeconds = 120.0

    var configuration: String { "\(directory)/slurm.conf" }
    var environment: [String] { BareProgram.environment + ["SLURM_CONF=\(configuration)"] }

    init(_ suite: Suite) throws {
        system = suite.system
        guard geteuid() == 0, ["slurmctld", "slurmd", "sbatch", "munged"].allSatisfy({ System.find($0) != nil }) else {
            throw Trouble.unavailable("needs root, slurmctld, slurmd, sbatch and munged")
        }
        let own = try Directory.open("/proc/self").readSymbolicLink("exe")
        guard let end = own.firstRange(of: "/.build/") else { throw Trouble.unavailable("this program is not where it was built") }
        script = "\(own[..<end.lowerBound])/Tests/slurm/cluster"
        directory = try makeTemporaryDirectory(in: "/tmp", "spoold-slurm")
        // Its daemons are no children of this process, which would end them as left over by spoold.
        linux_set_child_subreaper(0)
        defer { linux_set_child_subreaper(1) }
        // A busy machine is no dead node.
        let words = ["start", directory, "--set", "SlurmdTimeout=600", "--set", "MessageTimeout=60"]
        guard try system.run(script, words, environment: BareProgram.environment, seconds: Self.startSeconds) == 0 else {
            throw Trouble.unavailable("the cluster does not start; its logs are in \(directory)")
        }
    }

    /// Ends the cluster, also after an interruption.
    func stop() throws {
        let pid = try Process.spawn(script, arguments: [script, "stop", directory], environment: BareProgram.environment, descriptors: [])
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        try Directory.open("/tmp").removeTree(String(directory.dropFirst("/tmp/".count)))
    }
}
