import Documents
import Glibc
import Linux
import Testing

/// spoold as process 1 of a container, with what a container engine gives it: namespaces, a read-only root, a volume, a user without
/// rights.
@Suite("Containers", .ownThreads, .enabled(if: SpoolUnderTest.canContain, "needs root, unshare, pivot_root and setpriv"))
struct ContainerTests {
    /// Waits until each process below another one that has ended is reaped, which a busy process 1 may do later.
    private func awaitReaping(below pid: pid_t) throws {
        for child in try Processes.children(of: pid) where !Processes.isAlive(child) { try Processes.awaitReaping(of: child) }
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
        try awaitReaping(below: one)
        try slow.release()
        #expect(try spool.exitCode() == 0)
        #expect(try spool.end(of: "slow").outcome == "failed exit 3")
        #expect(try spool.ctl("health").code == 3)
    }

    @Test("W5: In a container that a user makes, who is root there, a job ends done while process 1 waits for it",
        .enabled(if: SpoolUnderTest.canContainRootless, "needs user namespaces for users"))
    func rootless() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.removeTree(spool.whole)
        try Files.makeDirectory(spool.whole)
        try spool.startContained(isRootless: true)
        try spool.watchAll()
        let one = try spool.processOne()
        let status = try Files.text("/proc/\(one)/status")
        #expect(status.contains("\nUid:\t\(SpoolUnderTest.containerUser)\t") && status.contains("NSpid:\t\(one)\t1\n"), "\(status)")
        let spoolctl = "\(SpoolUnderTest.programs)/spoolctl"
        #expect(try spool.execRootless(spoolctl, "health").code == 0)
        let said = try spool.execRootless(spoolctl, "submit", "-w", "--", "sh", "-c", "id -u; echo x > /etc/x")
        #expect(said.output == "0\n" && said.error.contains("Read-only"), "\(said)")
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        let line = "echo > \(spool.out)/began; read x < \(gate.path)"
        #expect(try spool.execRootless(spoolctl, "submit", "--name", "slow", line).code == 0)
        try spool.output("began")
        _ = try spool.execRootless("sh", "-c", "(sh -c 'exec sleep 0' &) & exit 0")
        try spool.signalContained(SIGTERM)
        try spool.logLine("event=draining", "running=1")
        #expect(try spool.execRootless(spoolctl, "health").code == 0)
        try awaitReaping(below: one)
        try gate.release()
        #expect(try spool.exitCode() == 0)
        #expect(try spool.end(of: "slow").outcome == "done 0")
    }

    @Test("W5: A standby as process 1 of a second container on the volume reaps what nobody else does, then takes over")
    func standby() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.startContained()
        let leader = try #require(spool.daemon)
        let line = spool.containedStandby()
        let log = try FileDescriptor.open("\(spool.base)/log", O_WRONLY | O_APPEND)
        let standby = try Child(
            line[0], Array(line.dropFirst()), environment: spool.environment + ["NOTIFY_SOCKET=\(spool.base)/notify"], output: log.raw,
            error: log.raw)
        try spool.logLine("event=standby ")
        let one = try #require(try Processes.children(of: standby.pid).first)
        // A process whose parent ends at once, and which then ends.
        let gate = try spool.gate()
        chmod(gate.path, 0o666)
        let orphan = "(sh -c 'echo > \(spool.out)/there; read x < \(gate.path)' &) & exit 0"
        _ = try Commands.run("nsenter", ["-t", "\(one)", "-p", "-m", "-S", "65532", "-G", "65532", "sh", "-c", orphan])
        try spool.output("there")
        let pids = try Processes.children(of: one)
        #expect(!pids.isEmpty)
        try gate.release()
        for pid in pids { try Processes.awaitReaping(of: pid) }
        try spool.signalContained(SIGKILL)
        _ = leader.exitCode()
        spool.lead(standby)
        try spool.logLine("event=takes-over")
        try spool.signalContained(SIGTERM)
        #expect(try spool.exitCode() == 0)
    }

    @Test("W5: A monitor in a second container on the volume, as etc/container/compose.yaml has it, serves metrics by its name and token",
        .enabled(if: Commands.has("curl"), "needs curl"))
    func monitorBeside() throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.startContained()
        let file = "\(spool.base)/token"
        try Files.write(file, "a-token-for-the-scraper\n")
        try Commands.succeed("chown", "65532:65532", file)
        try Commands.succeed("chmod", "600", file)
        let words = try Compose.service("monitor").list("entrypoint").map {
            ["/run/secrets/spoold-token": file, "0.0.0.0:8080": "127.0.0.1:0", "spoolctl": "\(SpoolUnderTest.programs)/spoolctl"][$0] ?? $0
        }
        // A process that changes its user is killed with unshare only when it asks for that itself.
        let line = [
            "-m", "-p", "--fork", "--kill-child", "--mount-proc", "setpriv", "--pdeathsig=KILL", "--reuid=65532", "--regid=65532",
            "--clear-groups",
        ]
        let monitor = try Commands.Running(
            "unshare", line + ["sh", "-c", "exec \"$@\" > \(spool.out)/address", "sh"] + words, environment: spool.environment)
        defer { monitor.child.kill(SIGKILL) }
        let address = try spool.wait(for: "the monitor's address") { () throws -> String? in
            let text = (try? Files.text("\(spool.out)/address")) ?? ""  // not yet
            return text.hasSuffix("/\n") ? String(text.dropLast()) : nil
        }
        func code(_ fields: String...) throws -> String {
            let options = ["-s", "-o", "\(spool.out)/answer", "-w", "%{http_code}"] + fields.flatMap { ["-H", $0] }
            return try Commands.run("curl", options + ["\(address)metrics"]).output
        }
        let token = "Authorization: Bearer a-token-for-the-scraper"
        #expect(try code("Host: monitor:8080", token) == "200")
        #expect(try Files.text("\(spool.out)/answer").contains("\nspoold_up 1\n"))
        #expect(try code("Host: monitor:8080") == "401" && code("Host: elsewhere:8080", token) == "421")
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

    @Test("W5: The image of Dockerfile, run as compose.yaml says, serves an empty volume with its user, variables and health check",
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
        // As the service of compose.yaml is run: its arguments, variables, mounts and limits.
        let compose = try Compose.service("spoold")
        #expect(compose.value("read_only") == "true" && compose.list("cap_drop") == ["ALL"])
        #expect(compose.list("security_opt") == ["no-new-privileges:true"] && compose.list("tmpfs") == ["/tmp"])
        let (context, file) = try (#require(compose.value("context")), #require(compose.value("dockerfile")))
        #expect(Files.exists("\(Compose.directory)/\(context)/\(file)"))
        var mounts: [String: String] = [:]
        for volume in compose.list("volumes") {
            let parts = volume.split(separator: ":").map(String.init)
            // A named volume is over the directory of the image.
            if parts[0].hasPrefix("./") {
                mounts[parts[1]] = "\(Compose.directory)/\(parts[0].dropFirst(2))"
                #expect(parts.last == "ro" && Files.exists("\(Compose.directory)/\(parts[0])"), "\(volume)")
            } else {
                #expect(parts == ["spool", "/spool"])
            }
        }
        #expect(mounts.keys.sorted() == ["/etc/tasks"])
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
        let zone = try #require(compose.value("TZ"))
        let environment = variables + ["PATH=/usr/local/bin:/usr/bin:/bin", "GREETING=hello", "TZ=\(zone)"]
        try spool.startContained(
            program: start + compose.list("command"), as: user, environment: environment, mounts: mounts, volumes: volumes)
        #expect(try spool.exec(health, as: user, environment: environment).code == 0)
        #expect(try spool.exec(["spoolctl", "list", "--names"], as: user, environment: environment).output == "hello\n")
        let job = ["spoolctl", "submit", "-w", "--", "sh", "-c", "echo $GREETING $HOME $TZ"]
        let said = try spool.exec(job, as: user, environment: environment)
        #expect(said.output == "hello /spool \(zone)\n", "\(said)")
        try spool.logLine("sh ", ": hello /spool \(zone)")
        try spool.signalContained(SIGTERM)
        #expect(try spool.exitCode() == 0)
    }
}
