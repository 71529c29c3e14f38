import Glibc
import Testing

/// The units of systemd: the directives that they have, those that they lack, and the settings that jobs must not get from them.
@Suite("Units of systemd", .ownThreads)
struct UnitTests {
    static func unit(_ scope: String) throws -> String { try Files.text("\(ShippedTextTests.root)/etc/systemd/\(scope)/spoold.service") }

    /// The directives of `[Service]`.
    static func directives(_ scope: String) throws -> [(key: String, value: String)] {
        let service = try #require(unit(scope).split(separator: "\n[").first { $0.hasPrefix("Service]\n") })
        return service.split(separator: "\n").dropFirst().filter { !$0.hasPrefix("#") }.map { line in
            let parts = line.split(separator: "=", maxSplits: 1)
            return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
        }
    }

    /// The directives that `systemd-analyze security` checks, and others of systemd.exec(5), systemd.kill(5) and
    /// systemd.resource-control(5) that would affect jobs.
    static let hardening = [
        "User", "DynamicUser", "SupplementaryGroups", "NoNewPrivileges", "RestrictSUIDSGID", "SecureBits", "CapabilityBoundingSet",
        "AmbientCapabilities",
        "ProtectSystem", "ProtectHome", "ReadOnlyPaths", "InaccessiblePaths", "RootDirectory", "RootImage", "PrivateTmp", "PrivateDevices",
        "DevicePolicy",
        "DeviceAllow", "PrivateNetwork", "IPAddressDeny", "RestrictAddressFamilies", "PrivateUsers", "PrivateMounts", "MountFlags",
        "PrivateIPC", "RemoveIPC",
        "ProtectProc", "ProcSubset", "ProtectClock", "ProtectHostname", "ProtectControlGroups", "ProtectKernelLogs", "ProtectKernelModules",
        "ProtectKernelTunables", "RestrictNamespaces", "RestrictRealtime", "RestrictFileSystems", "SystemCallFilter",
        "SystemCallArchitectures",
        "LockPersonality", "MemoryDenyWriteExecute", "NoExecPaths", "KeyringMode", "IgnoreSIGPIPE", "LimitNOFILE", "Nice",
        "IOSchedulingClass",
        "CPUSchedulingPolicy", "MemoryMax", "CPUQuota", "Environment", "StateDirectory", "RuntimeDirectory", "Delegate", "NotifyAccess",
        "UMask", "KillMode",
        "OOMScoreAdjust", "OOMPolicy", "TasksMax", "WatchdogSec",
    ]

    @Test("U12: the unit has each directive that hardens a service, or the reason why it is left out", arguments: hardening)
    func isSetOrExplained(directive: String) throws {
        let isSet = try Self.directives("system").contains { $0.key == directive }
        // A reason has this form: `#   PrivateTmp=, PrivateIPC=   why`
        let reasons = try Self.unit("system").split(separator: "\n").filter { $0.hasPrefix("#   ") && $0.contains("=  ") }
        let explained = reasons.filter { line in
            line.dropFirst(4).split(separator: " ").contains { $0.hasPrefix("\(directive)=") }
        }
        #expect(isSet ? explained.isEmpty : explained.count == 1, "\(explained)")
    }

    @Test("U12: the units have only directives that are known not to affect jobs", arguments: ["system", "user"])
    func onlyKnown(scope: String) throws {
        let known = [
            "Type", "NotifyAccess", "ExecStart", "ExecReload", "WatchdogSec", "Restart", "RestartSec", "RestartPreventExitStatus",
            "TimeoutStartSec",
            "KillMode", "Delegate", "ExecStopPost", "OOMPolicy", "OOMScoreAdjust", "UMask", "StandardError", "SyslogIdentifier", "TasksMax",
            "LimitNOFILE",
        ]
        let directives = try Self.directives(scope)
        #expect(Set(directives.map(\.key)) == Set(known).subtracting(scope == "user" ? ["OOMScoreAdjust"] : []))
        // The user's unit has other paths of the programs.
        for (key, value) in directives where !["ExecStart", "ExecStopPost"].contains(key) {
            #expect(try Self.directives("system").contains { $0.key == key && $0.value == value }, "\(key)=\(value)")
        }
    }

    /// Starts a daemon as the unit does, as far as that is possible without systemd. The test checks what the job sees of it.
    @Test(
        "U12: Attack 37: jobs get nothing that the unit gives the daemon: privileges, groups, signals, umask, memory score, environment"
    )
    func jobIsUntouched() throws {
        let spool = try SpoolUnderTest(starting: false)
        let settings = Dictionary(uniqueKeysWithValues: try Self.directives("system").map { ($0.key, $0.value) })
        let (umask, score) = (try #require(settings["UMask"]), try #require(settings["OOMScoreAdjust"].flatMap { Int($0) }))
        // Only root outside of a container may set a score below 0. The kernel treats scores above 0 in the same way.
        try Files.makeDirectory("\(spool.base)/unit")
        try Files.write(
            "\(spool.base)/unit/spoold",
            """
            #!/bin/sh
            trap '' PIPE
            umask \(umask)
            (echo \(score) > /proc/$$/oom_score_adj) 2> /dev/null || echo \(abs(score)) > /proc/$$/oom_score_adj
            export WATCHDOG_PID=$$ SYSTEMD_EXEC_PID=$$ LISTEN_PID=$$
            exec \(SpoolUnderTest.programs)/spoold "$@"
            """)
        try Commands.succeed("chmod", "700", "\(spool.base)/unit/spoold")
        // A process in some sessions cannot set the score back to 0.
        let probe = "echo \(abs(score)) > /proc/self/oom_score_adj && echo 0 > /proc/self/oom_score_adj"
        let isFree = try Commands.run("sh", "-c", probe).code == 0
        let names = ["WATCHDOG_USEC", "INVOCATION_ID", "LISTEN_FDS", "JOURNAL_STREAM", "MEMORY_PRESSURE_WATCH", "CREDENTIALS_DIRECTORY"]
        try spool.start(environment: names.map { "\($0)=60000000" }, programs: "\(spool.base)/unit")
        let daemon = try Files.text("/proc/\(try #require(spool.daemon).pid)/status")
        #expect(Self.field("SigIgn", of: daemon).hasSuffix("1000"), "the daemon ignores SIGPIPE")

        let job = try spool.run("command = \"umask; cat /proc/self/oom_score_adj; cat /proc/self/status; id -G; env\"")
        let lines = try job.stdout.split(separator: "\n").map(String.init)
        let text = try job.stdout
        #expect(lines.first == "0022")
        if isFree { #expect(lines.dropFirst().first == "0") }
        #expect(Self.field("NoNewPrivs", of: text) == "0")
        #expect(Self.field("Seccomp", of: text) == Self.field("Seccomp", of: try Files.text("/proc/self/status")))
        #expect(Self.field("SigBlk", of: text).allSatisfy { $0 == "0" })
        #expect(Self.ignored(text) == 0)
        #expect(Self.field("CapBnd", of: text) == Self.field("CapBnd", of: daemon))
        #expect(lines.contains(try Commands.run("id", "-G").output.split(separator: "\n").joined()), "its user's groups")
        for name in names + ["NOTIFY_SOCKET", "WATCHDOG_PID", "SYSTEMD_EXEC_PID", "LISTEN_PID", "MAINPID"] {
            #expect(!lines.contains { $0.hasPrefix("\(name)=") }, "\(name)")
        }
        // Jobs with limits or priorities are started in another way.
        let confined = try spool.run("command = \"umask; cat /proc/self/oom_score_adj; cat /proc/self/status\"\nnice = 3", as: "confined")
        #expect(try confined.stdout.hasPrefix(isFree ? "0022\n0\n" : "0022\n"))
        #expect(Self.ignored(try confined.stdout) == 0)
    }

    @Test("U12: a pattern's program does not have the daemon's memory score either")
    func programIsUntouched() throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.makeDirectory("\(spool.base)/unit")
        try Files.write(
            "\(spool.base)/unit/spoold", "#!/bin/sh\necho 300 > /proc/$$/oom_score_adj\nexec \(SpoolUnderTest.programs)/spoold \"$@\"\n")
        // The daemon sets the score after it has started the program. `cat` reads the score in one call; `read` would read it
        // byte by byte, and could mix two numbers.
        try Files.write(
            "\(spool.path)/patterns/p",
            """
            #!/bin/sh\nwhile score=$(cat /proc/$$/oom_score_adj) && [ $score = 300 ]; do :; done\necho $score > \(spool.out)/score.tmp\n\
            mv \(spool.out)/score.tmp \(spool.out)/score\necho 2099-01-01\n
            """)
        try Commands.succeed("chmod", "700", "\(spool.base)/unit/spoold", "\(spool.path)/patterns/p")
        guard try Commands.run("sh", "-c", "echo 300 > /proc/self/oom_score_adj && echo 0 > /proc/self/oom_score_adj").code == 0
        else { return }
        try spool.start(programs: "\(spool.base)/unit")
        try spool.task("t", "command = [\"true\"]\n[[schedule]]\npattern = \"ext:p:\"")
        let score = try spool.output("score")
        #expect(score == "0\n")
    }

    /// The ignored signals as bits. Leaves out 32 and 33, which glibc reserves and leaves ignored in programs that it starts.
    private static func ignored(_ status: String) -> UInt64? {
        UInt64(field("SigIgn", of: status), radix: 16).map { $0 & ~(0b11 << 31) }
    }

    /// The value of a line of /proc/PID/status.
    private static func field(_ name: String, of status: String) -> String {
        let line = status.split(separator: "\n").first { $0.hasPrefix("\(name):") } ?? ""
        return line.split(whereSeparator: \.isWhitespace).dropFirst().joined(separator: " ")
    }
}
