import Documents
import Glibc
import Linux
import Testing

/// spoold as process 1 of a container, with what a container engine gives it: namespaces, a read-only root, a volume, a user without
/// rights.
@Suite("Containers", .ownThreads, .enabled(if: SpoolUnderTest.canContain, "needs root, unshare, pivot_root and setpriv"))
struct ContainerTests {
    private func zombies(below pid: pid_t) throws -> Int {
        try Files.text("/proc/\(pid)/task/\(pid)/children").split(separator: " ").compactMap { pid_t($0) }
            .count { !Processes.isAlive($0) }
    }

    @Test("W5: Process 1 runs jobs, reaps what nobody else does, waits for a job when it is stopped, and is well all the time",
        arguments: [SIGTERM, SIGINT])
    func life(_ signal: Int32) throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.removeTree(spool.whole)
        try Files.makeDirectory(spool.whole)
        try spool.startContained()
        try spool.watchAll()
        let one = try spool.processOne()
        #expect(try Files.text("/proc/\(one)/status").contains("NSpid:\t\(one)\t1\n"))
        #expect(try spool.exec("\(SpoolUnderTest.programs)/spoolctl", "health").code == 0)
        // The root cannot be written, and the user has no rights.
        let said = try spool.exec("\(SpoolUnderTest.programs)/spoolctl", "submit", "-w", "--", "sh", "-c", "id -u; echo x > /etc/x")
        #expect(said.output.contains("\(SpoolUnderTest.containerUser)") && said.error.contains("Read-only"), "\(said)")
        // A process that nobody waits for becomes a child of process 1 when the job's worker has ended.
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        try spool.drop("orphan.toml", "command = '(setsid sh -c \"read x < \(gate.path); echo > \(spool.out)/ended\" &) ; exit 0'")
        #expect(try spool.end(of: "orphan").outcome == "done 0")
        for worker in Processes.workers(ofSpool: spool.whole) { kill(worker, SIGTERM) }
        _ = try spool.exec("sh", "-c", "(sh -c 'exec sleep 0' &) & exit 0")
        try gate.release()
        try spool.output("ended")
        let slow = try spool.gate("slow")
        chmod(slow.path, 0o666)
        try spool.drop("slow.toml", "command = 'echo > \(spool.out)/began; read x < \(slow.path); exit 3'")
        try spool.output("began")
        try spool.signalContained(SIGHUP)
        try spool.signalContained(signal)
        try spool.logLine("event=draining", "running=1")
        #expect(try spool.exec("\(SpoolUnderTest.programs)/spoolctl", "health").code == 0)
        #expect(try zombies(below: one) == 0)
        try slow.release()
        #expect(try spool.exitCode() == 0)
        #expect(try spool.end(of: "slow").outcome == "failed exit 3")
        #expect(try spool.ctl("health").code == 3)
    }

    @Test("U10: A signal that is sent while process 1 starts counts")
    func early() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.startContained(awaitingReady: false)
        let daemon = try #require(spool.daemon)
        // Until the programs of the container's setup have become spoold, the signal is not for it.
        while !daemon.hasEnded {
            guard let one = try? spool.processOne(), (try? Files.text("/proc/\(one)/comm")) == "spoold\n" else { continue }  // not yet
            kill(one, SIGTERM)
        }
        #expect(try spool.exitCode() == 0)
    }

    @Test("W5: With --no-drain process 1 ends at once, and the next start finds its jobs lost")
    func notDraining() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.startContained(["--no-drain"])
        try spool.drop("slow.toml", "command = 'echo > \(spool.out)/began; sleep 1000'")
        try spool.output("began")
        try spool.signalContained(SIGTERM)
        #expect(try spool.exitCode() == 0)
        try spool.startContained()
        #expect(try spool.end(of: "slow").outcome == "failed lost")
        #expect(try spool.runsOn())
        try spool.signalContained(SIGTERM)
        #expect(try spool.exitCode() == 0)
    }

    /// The instructions of the last stage of etc/container/Dockerfile, each with its words.
    private func dockerfile() throws -> [(name: String, rest: String)] {
        var stage: [(name: String, rest: String)] = []
        for line in try Files.text("\(ShippedTextTests.root)/etc/container/Dockerfile").split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            if words[0] == "FROM" { stage = [] }
            stage.append((words[0], words[1]))
        }
        return stage
    }

    private func list(_ text: some StringProtocol) throws -> [String] {
        guard case .array(let values) = try JSON.parse(Array(text.utf8)).kind else { throw WaitFailed(description: "no list: \(text)") }
        return values.compactMap { if case .string(let word) = $0.kind { word } else { nil } }
    }

    @Test("W5: The image of etc/container/Dockerfile serves an empty volume with its user, variables, entry point and health check",
        .enabled(if: Commands.has("strip"), "needs strip"))
    func image() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.removeTree(spool.whole)
        let image = "\(spool.base)/image"
        try Commands.succeed("\(ShippedTextTests.root)/etc/container/image", SpoolUnderTest.programs, image)
        for name in ["slurm", "ssh", "kubernetes"] {
            let said = try Commands.run("\(image)/usr/local/libexec/spoold/executors/\(name)", [])
            #expect(said.error.hasPrefix("\(name): usage: \(name) submit|"), "\(said)")
        }
        var mounts = ["/etc/tasks": "\(ShippedTextTests.root)/etc/container/tasks"]
        var volumes: [String: String] = [:]
        var (variables, user): ([String], uid_t) = ([], 0)
        var (start, health): ([String], [String]) = ([], [])
        for (name, rest) in try dockerfile() {
            switch name {
            case "COPY":
                let paths = rest.split(separator: " ").filter { !$0.hasPrefix("--") }.map { String($0.dropLast()) }
                let from = paths[0].replacing("/image", with: image)
                #expect(Files.exists(from), "\(from)")
                for entry in try Files.list(from) where paths[1] == "/etc" && mounts["/etc/\(entry)"] == nil {
                    mounts["/etc/\(entry)"] = "\(from)/\(entry)"
                }
                if paths[1].hasPrefix("/usr") { mounts[paths[1]] = from }
                if rest.contains("--chown=65532:65532") { volumes[paths[1]] = from }
            case "ENV": variables = rest.split(separator: " ").map(String.init)
            case "USER": user = try #require(uid_t(rest.prefix { $0 != ":" }))
            case "VOLUME": #expect(volumes[rest] != nil)
            case "HEALTHCHECK": health = try list(rest[try #require(rest.firstIndex(of: "["))...])
            case "ENTRYPOINT": start = try list(rest)
            default: #expect(["FROM", "RUN"].contains(name), "\(name)")
            }
        }
        #expect(user == SpoolUnderTest.containerUser && health == ["spoolctl", "health"])
        let environment = variables + ["PATH=/usr/local/bin:/usr/bin:/bin", "GREETING=hello"]
        try spool.startContained(
            program: start + ["--tasks", "/etc/tasks"], as: user, environment: environment, mounts: mounts, volumes: volumes)
        #expect(try spool.exec(health, as: user, environment: environment).code == 0)
        #expect(try spool.exec(["spoolctl", "list", "--names"], as: user, environment: environment).output == "hello\n")
        let job = ["spoolctl", "submit", "-w", "--", "sh", "-c", "echo $GREETING $HOME"]
        let said = try spool.exec(job, as: user, environment: environment)
        #expect(said.output == "hello /spool\n", "\(said)")
        try spool.logLine("sh ", ": hello /spool")
        try spool.signalContained(SIGTERM)
        #expect(try spool.exitCode() == 0)
    }
}
