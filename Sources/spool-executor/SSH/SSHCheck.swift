import Executors
import Glibc
import Linux

extension SSHExecutor {
    /// Checks each host of the configuration and of jobs: reachable, home, space, clock, and whether jobs outlive the connection.
    func check() -> Int32 {
        let hosts = call.settings.hosts.keys + named
        if call.settings.hosts.isEmpty {
            Told.answer(.check("hosts", isFine: true, "the configuration names none, so each job names its own with the key host"))
        }
        var rest = hosts.shuffled()[...]
        FarSessions.run(until: call.time.hardEnd) {
            while let host = rest.popFirst() {
                guard let session = call.session(to: host) else {
                    Told.answer(.check("reachable", isFine: false, "\(host): ssh cannot be started"))
                    continue
                }
                let asked = Clock.now()
                session.greeted = { hello in
                    Told.answer(.check("reachable", isFine: true, "\(host) answers after \(Clock.now() - asked) ms"))
                    checkClock(host, hello, asked)
                    session.ask("check", ["-"]) { answer in
                        guard case .line(_, let words) = answer, words.count >= 3, words[0] == "check" else { return false }
                        say(host, words[1], isOK: words[2] == "yes", words.dropFirst(3).joined(separator: " "))
                        return true
                    }
                }
                session.ended = { why in if let why { Told.answer(.check("reachable", isFine: false, "\(host): \(why)")) } }
                return session
            }
            return nil
        }
        for host in rest.sorted() { Told.answer(.check("reachable", isFine: false, "\(host): \(CallTime.noneLeft)")) }
        return 0
    }

    /// The clock there, in whole seconds, was read between the start of the connection and now.
    private func checkClock(_ host: HostName, _ hello: FarAnswers.Hello, _ asked: Int64) {
        let now = Clock.now()
        let there = hello.clock * 1000
        let ahead = there > now ? there - now : there + 1000 < asked ? there + 1000 - asked : 0
        let isOK = abs(ahead) < 5000
        let sentence = ahead == 0 ? "agree" : "differ by \((abs(ahead) + 999) / 1000) s"
        Told.answer(.check("clock", isFine: isOK, "\(host): the clocks \(sentence)"))
    }

    private func say(_ host: HostName, _ name: String, isOK: Bool, _ text: String) {
        switch name {
        case "writable": Told.answer(.check(name, isFine: isOK, "\(host): \(text) can\(isOK ? "" : "not") be written"))
        case "space": Told.answer(.check(name, isFine: isOK, "\(host): \((Int64(text) ?? 0) / 1024) MiB are free for the output of jobs"))
        case "session":
            let trouble = "logind ends what a session leaves running, and so every job: set KillUserProcesses=no in logind.conf"
            Told.answer(.check(name, isFine: isOK, "\(host): \(isOK ? "jobs outlive the connection" : trouble)"))
        default: break
        }
    }
}
