import CLinux
import Glibc
import Linux

/// Other programs run the same jobs, if they are installed. Their ratio is to bare posix_spawn, as the daemon's is in the rows of
/// drain.
extension Suite {
    private var xargsCount: Int { options.isSmoke ? 200 : 5000 }
    /// A waiting job of tsp or nq is a process, and tsp serves at most 1000 of them.
    private var spoolerCount: Int { options.isSmoke ? 100 : 900 }
    /// Each job of nq examines all jobs before it. With many jobs this would dominate the result.
    private var queueCount: Int { options.isSmoke ? 50 : 200 }
    private static let peerGuardSeconds = 120.0

    func measurePeers(_ name: String, on place: Place) throws {
        try peer("xargs -P8 -n1", place, xargsCount, xargs)
        try peer("tsp, 8 slots, drain", place, spoolerCount) { try taskSpooler($0, on: $1).drain }
        try peer("tsp, 8 slots, submit and drain", place, spoolerCount) { try taskSpooler($0, on: $1).all }
        try peer("nq, one at a time", place, queueCount, queue)
    }

    private func peer(_ name: String, _ place: Place, _ count: Int, _ measure: (Int, Place) throws -> Double) throws {
        let measureName = "\(name), \(place.name)"
        do {
            let bare = BareProgram(["/bin/true"])
            let before = try bare.drain(count, atOnce: DaemonUnderTest.slots).wall
            let theirs = try measure(count, place)
            let reference = (before + (try bare.drain(count, atOnce: DaemonUnderTest.slots).wall)) / 2
            report.add(
                Row(
                    measure: measureName, ours: "(theirs) \(count) jobs, \(perSecond(count, in: theirs))",
                    reference: "posix_spawn, 8 at once, \(perSecond(count, in: reference))", ratio: reference / theirs))
        } catch Trouble.unavailable(let reason) {
            report.skip(measureName, reason)
        } catch Trouble.failed(let reason) {
            report.skip(measureName, reason)  // a peer's failure is no failure of the daemon
        }
    }

    private func find(_ program: String) throws -> String {
        guard let path = System.find(program) else { throw Trouble.unavailable("\(program) is not installed") }
        return path
    }

    private func xargs(_ count: Int, on place: Place) throws -> Double {
        let program = try find("xargs")
        let directory = try place.fresh("xargs")
        try Directory.open(directory).writeFile("input", Array(String(repeating: "x\n", count: count).utf8))
        return try System.seconds {
            let code = try system.run(
                program, ["-P8", "-n1", "/bin/true"], environment: BareProgram.environment, input: "\(directory)/input",
                seconds: Self.peerGuardSeconds)
            guard code == 0 else { throw Trouble.failed("xargs exited with \(code)") }
        }
    }

    /// The client of a queue goes to the background and ends with its job. It becomes a child of this process, which waits for it
    /// here.
    private func awaitClients(_ count: Int) throws {
        let deadline = Deadline(seconds: Self.peerGuardSeconds)
        for number in 0..<count {
            guard try system.reap(until: deadline) != nil else { throw Trouble.failed("\(number) of \(count) jobs ended") }
        }
    }

    /// Runs Task Spooler with a server and a directory of its own. `drain` is the time from the opening of eight slots, with all
    /// jobs waiting, to the last end. `all` is the time to submit the jobs to eight open slots and to run them.
    private func taskSpooler(_ count: Int, on place: Place) throws -> (drain: Double, all: Double) {
        let program = try find("tsp")
        let directory = try place.fresh("tsp")
        let environment = BareProgram.environment + ["TMPDIR=\(directory)", "TS_SOCKET=\(directory)/socket"]
        func tsp(_ arguments: String...) throws {
            let code = try system.run(program, arguments, environment: environment)
            guard code == 0 else { throw Trouble.failed("tsp \(arguments.joined(separator: " ")) exited with \(code)") }
        }
        let gate = "\(directory)/gate"
        guard mkfifo(gate, 0o600) == 0 else { throw SystemError(call: "mkfifo", path: gate, errno: errno) }

        try tsp("-S", "1")
        let times = Result {
            try tsp("/bin/cat", gate)
            for _ in 0..<count { try tsp("/bin/true") }
            let drain = try System.seconds {
                try tsp("-S", "\(DaemonUnderTest.slots)")
                _ = try FileDescriptor.open(gate, O_RDWR)  // opens and closes the gate: cat reads its end
                try awaitClients(count + 1)
            }
            let all = try System.seconds {
                for _ in 0..<count { try tsp("/bin/true") }
                try awaitClients(count)
            }
            return (drain, all)
        }
        // After an interruption the server ends with all other processes that are left.
        if !system.isInterrupted { try tsp("-K") }
        try system.awaitAll()
        return try times.get()
    }

    private func queue(_ count: Int, on place: Place) throws -> Double {
        let program = try find("nq")
        let environment = BareProgram.environment + ["NQDIR=\(try place.fresh("nq"))"]
        return try System.seconds {
            for _ in 0..<count {
                let code = try system.run(program, ["/bin/true"], environment: environment)
                guard code == 0 else { throw Trouble.failed("nq exited with \(code)") }
            }
            try awaitClients(count)
        }
    }
}
