// Whoever starts a program may have closed its standard input, output and error output. Their numbers then go to files that the program
// opens, unless it takes them first.

import Glibc
import Linux
import Testing

@Suite("Closed standard descriptors", .ownThreads)
struct ClosedDescriptorTests {
    @Test("A daemon that was started with closed descriptors serves as any other, and writes its log into no file",
        arguments: ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    func daemon(closing: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        try spool.launch(tracer: ["/bin/sh", "-c", "exec \"$@\" \(closing)", "sh"])
        try spool.notification("READY=1")
        let pid = try #require(spool.daemon?.pid)
        for number in 0...2 where closing == "<&- >&- 2>&-" {
            #expect(try Directory.open("/proc/\(pid)/fd").readSymbolicLink("\(number)") == "/dev/null")
        }
        let job = try spool.run("command = 'cat; echo out; echo error >&2'\npayload = 1")
        #expect(job.outcome == "done 0", "\(job.error)")
        #expect(try job.stdout == "1out\n")
        #expect(try job.stderr == "error\n")
        // With limits it goes another way.
        #expect(try spool.run("command = 'echo confined'\nlimits = {nofile = 64}", as: "confined").stdout == "confined\n")
        #expect(try Files.text("\(spool.path)/state/lock").split(separator: "\n").count == 1)
        #expect(try spool.ctl("fsck").code == 0)
    }

    @Test("Without /dev/null a daemon with closed descriptors does not start", .enabled(if: isRoot && Commands.has("unshare"), "needs root and mount namespaces"))
    func withoutNull() throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try Commands.run(
            "unshare", ["-m", "--propagation", "private", "/bin/sh", "-c", "mount -t tmpfs tmpfs /dev && exec \"$@\" <&-", "sh", "\(SpoolUnderTest.programs)/spoold", "--spool", spool.path])
        #expect(result.code == 1)
        #expect(result.error.contains("/dev/null"), "\(result)")
    }
}
