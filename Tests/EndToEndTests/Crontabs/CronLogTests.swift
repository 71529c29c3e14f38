import Glibc
import Linux
import TestSupport
import Testing

/// The lines of cron in the system's log.
@Suite("Cron's lines in the system's log", .ownThreads, .enabled(if: CronPeerTests.isHere, "needs root, unshare and Debian's cron"))
struct CronLogTests {
    /// A directory to mount over /dev, whose `log` a test reads.
    private final class Devices {
        let path: String
        let log: NotificationSocket

        init(_ path: String) throws {
            self.path = path
            try Commands.succeed("sh", "-c", "mkdir \(path) && cp -a /dev/null /dev/zero /dev/tty /dev/urandom /dev/random \(path)")
            log = try NotificationSocket(path: "\(path)/log")
            try log.askForSenders()
            guard chmod("\(path)/log", 0o666) == 0 else { throw SystemError(call: "chmod", path: path, errno: errno) }
        }

        /// Waits for so many messages of jobs, and returns them sorted.
        func lines(_ count: Int) throws -> [String] {
            let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
            var lines: [String] = []
            while lines.count < count {
                guard awaitReadable([log.raw], until: end) else { throw WaitFailed(description: "\(path): only \(lines)") }
                lines += linesNow()
            }
            return lines.sorted()
        }

        /// The messages of jobs that have come, without their times and process numbers. The number with a command is that of the sender,
        /// which the journal of systemd shows.
        func linesNow() -> [String] {
            var lines: [String] = []
            while let (line, process) = log.receiveFromSender() {
                guard let tag = line.firstRange(of: "CRON["), line.contains(" CMD ") || line.contains("MAIL ") else { continue }
                #expect(!line.contains(" CMD ") || line[tag.upperBound...].hasPrefix("\(process)]: "), "\(process) has sent \(line)")
                lines.append("\(line.prefix { $0 != ">" })>\(line[tag.upperBound...].drop { $0 != "]" })")
            }
            return lines
        }
    }

    static let crontab = """
        MAILTO=root
        @reboot root true plain 100\\%
        @reboot games true\tt\u{e9} %input
        @reboot root echo x
        MAILTO="root -v"
        @reboot root true unsafe, without output
        @reboot games echo unsafe

        """

    @Test("C5: while the system's log is full, a worker waits for it, and what is lost is in spoold's own log and in the record")
    func fullLog() throws {
        let machine = try CrontabMachine(configuration: "mail_command = [\"/bin/false\"]", starting: false)
        let spool = machine.spool
        try machine.write("etc/crontab", "MAILTO=root\n@reboot root echo lost\n@every 1d root echo later\n")
        let devices = try Devices("\(spool.base)/dev")
        try devices.log.fill()
        try spool.launch(tracer: [
            "/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c",
            "mount --bind \(devices.path) /dev && exec \"$0\" \"$@\"",
        ])
        try spool.notification("READY=1")
        try spool.logLine("event=not-in-syslog", "what=\"the start of the command\"")
        try spool.logLine("event=not-in-syslog", "MAIL (mailed 5 bytes of output but got status 0x0001 from MTA")
        let job = try #require(try spool.ended("crontab-echo", count: 1).first)
        #expect(job.string("remark") == "the system's log is full, so the start of the command is not in it")
        // It is read while a worker waits. On a slow machine that may be too late, and then the next run tries.
        var commands: [String] = []
        var runs = 0
        while commands.isEmpty {
            runs += 1
            #expect(try spool.ctl("run", "crontab-echo-2").code == 0)
            try spool.wait(for: "the end of the run") {
                commands += devices.linesNow().filter { $0.contains(" CMD ") }
                return try spool.ended("crontab-echo-2").count == runs
            }
            commands += devices.linesNow().filter { $0.contains(" CMD ") }
            if commands.isEmpty { try devices.log.fill() }
        }
        #expect(commands == ["<78>]: (root) CMD (echo later)"], "\(commands)")
    }

    @Test("C5: a crontab's command and a mail that fails are in the log as cron(8) writes them")
    func lines() throws {
        let machine = try CrontabMachine(configuration: "mail_command = [\"/bin/false\"]", starting: false)
        let spool = machine.spool
        try machine.write("etc/crontab", Self.crontab)
        let (ours, crons) = (try Devices("\(spool.base)/dev"), try Devices("\(spool.base)/dev-of-cron"))
        try spool.launch(tracer: [
            "/usr/bin/unshare", "-m", "--propagation", "private", "/bin/sh", "-c", "mount --bind \(ours.path) /dev && exec \"$0\" \"$@\"",
        ])
        try spool.notification("READY=1")
        let our = try ours.lines(7)

        let script = """
            mount -t tmpfs none /run && mount -t tmpfs none /var/spool && mkdir -p /var/spool/cron/crontabs &&
            mount --bind \(machine.root)/etc/cron.d /etc/cron.d && mount --bind \(machine.crontab) /etc/crontab &&
            cp \(CronPeerTests.cron) \(spool.base)/cron && mount -t tmpfs none /usr/sbin && cp /bin/false /usr/sbin/sendmail &&
            mount --bind \(crons.path) /dev
            """
        let cron = try CronPeerTests.startCron(beside: spool, script, "exec \(spool.base)/cron -f")
        defer { cron.kill(SIGKILL) }
        // A line's end within a message is a mistake of Debian's.
        let their = try crons.lines(7).map { $0.replacing("\n)", with: ")") }
        #expect(our == their)
        #expect(our.contains("<78>]: (games) CMD (true^It\\303\\251 )") && our.contains("<78>]: (root) CMD (true plain 100%)"), "\(our)")
    }
}
