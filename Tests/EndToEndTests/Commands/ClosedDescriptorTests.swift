// The parent of a program may close its standard input, output and error output. The numbers 0 to 2 then go to files that the
// program opens, unless the program opens /dev/null for them first.

import Glibc
import Linux
import Testing

@Suite("Closed standard descriptors", .ownThreads)
struct ClosedDescriptorTests {
    @Test("A daemon that was started with closed descriptors serves as usual, and writes its log into no other file",
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
        // A job with limits is started in another way.
        #expect(try spool.run("command = 'echo confined'\nlimits = {nofile = 64}", as: "confined").stdout == "confined\n")
        #expect(try Files.text("\(spool.path)/state/lock").split(separator: "\n").count == 1)
        #expect(try spool.ctl("fsck").code == 0)
    }

    static let broken = [
        ("mount -t tmpfs tmpfs /dev", "/dev/null is missing"), ("mount -t tmpfs tmpfs /dev && : > /dev/null", "not a device"),
        ("umount -l /proc", "/proc is not mounted"),
    ]

    @Test(
        "Without /dev/null or /proc no program starts, and each says why and what to do",
        .enabled(if: isRoot && Commands.has("unshare"), "needs root and mount namespaces"), arguments: broken, ["spoold", "spoolctl"])
    func withoutSystem(broken: (breaks: String, says: String), program: String) throws {
        let spool = try SpoolUnderTest(starting: false)
        let result = try Commands.run(
            "unshare",
            [
                "-m", "--propagation", "private", "/bin/sh", "-c", "\(broken.breaks) && exec \"$@\"", "sh",
                "\(SpoolUnderTest.programs)/\(program)",
                "--spool", spool.path,
            ])
        #expect(result.code == 1)
        #expect(result.error.hasPrefix("\(program): ") && result.error.contains(broken.says), "\(result)")
        #expect(try Files.list("\(spool.path)/state").isEmpty)
    }
}
