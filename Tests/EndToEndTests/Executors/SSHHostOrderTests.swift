// The executor ssh with many hosts that are away: a program in the place of ssh says which hosts were called.

import Documents
import Glibc
import Linux
import TestSupport
import Testing

@Suite("The hosts of the executor ssh", .ownThreads)
struct SSHHostOrderTests {
    /// Calls of the executor whose ssh notes its host and reaches none.
    private static func calls(hosts: [String]) throws -> RemoteCalls {
        let calls = try RemoteCalls("ssh")
        try Files.makeDirectory("\(calls.base)/first")
        let ssh = "#!/bin/sh\nfor word; do case $word in far*) echo $word >> \(calls.base)/called;; esac; done\nexit 255\n"
        try Files.write("\(calls.base)/first/ssh", ssh, mode: 0o755)
        calls.variables = ["PATH=\(calls.base)/first:/usr/bin:/bin"]
        calls.settings = "{\"hosts\":[\(hosts.map { "\"\($0)\"" }.joined(separator: ","))]}"
        return calls
    }

    private static func called(_ calls: RemoteCalls) throws -> [String] {
        let words = try Files.text("\(calls.base)/called").split(separator: "\n").map(String.init)
        try Files.remove("\(calls.base)/called")
        return words
    }

    @Test("Each call asks the hosts in another order, so that those that are away keep no other from being asked for ever", arguments: [
        "poll", "find", "cancel", "submit", "check",
    ])
    func order(verb: String) throws {
        let hosts = (10..<90).map { "far\($0)" }
        let calls = try Self.calls(hosts: hosts)
        let jobs = try hosts.map { host in
            let job = try calls.job("true", ["hosts": "[\"\(host)\"]"])
            // As after a submission.
            let place = "\(host) \(job.id).1.00000001 /home/far - 0\n"
            if verb != "submit" { try Files.write("\(job.directory)/place.1", place) }
            return job
        }
        // 32 are called at once, so the order in which they note it says little.
        let late = Set(hosts[45...])
        var lateOnes = 0
        for _ in 0..<3 {
            let items = verb == "submit" ? calls.submitItems(jobs) : verb == "check" ? [] : calls.items(jobs)
            _ = try calls.end(calls.start(verb, items))
            let order = try Self.called(calls)
            #expect(order.sorted() == hosts, "each once")
            lateOnes += order.prefix(10).count { late.contains($0) }
        }
        #expect(lateOnes > 0)
    }
}
