import Glibc
import Linux
import Store

/// The checks of `spoolctl doctor`. Each works alone: one that cannot look reports that, and the others go on.
struct Doctor {
    let session: Session
    /// The daemon that serves the spool; nil when none does.
    let daemon: SpoolLock.Holder?
    /// The daemon's published status.
    let published: Table?

    init(_ session: Session) {
        self.session = session
        daemon = Self.orNil { () throws(Failure) in try session.daemon() }
        published = Self.orNil { () throws(Failure) in try session.daemonTable() }
    }

    /// Nil also for an error: the check that needs the value says that it is missing.
    static func orNil<Value>(_ body: () throws(Failure) -> Value?) -> Value? {
        do throws(Failure) { return try body() } catch { return nil }
    }

    func diagnoses() -> [Diagnosis] {
        [spool(), serving(), version()].compactMap { $0 } + troubles() + problems()
            + [worker(), unit(), configuration()].compactMap { $0 } + calendars()
            + [mail(), zones(), openFiles(), watches(), clock()].compactMap { $0 } + executors() + room()
    }

    /// True when root's daemon serves everybody from this spool.
    var isSystemWide: Bool { session.owner != nil || geteuid() == 0 }

    // MARK: The spool

    private func spool() -> Diagnosis {
        let path = session.spoolPath
        do throws(Failure) { _ = try session.openSpool() } catch {
            return .fail("spool", error.lines.joined(separator: "; "), "start spoold, which creates the spool")
        }
        do throws(SystemError) {
            if let network = try NetworkFileSystem.name(at: path) {
                return .fail("spool", "\(path) is on \(network), which does not keep what was synced", "put the spool on a local disk")
            }
            for name in Layout.shared {
                let status = try FileStatus.read("\(path)/\(name)", followingLinks: true)
                if let wrong = wrongMode(status) {
                    return .fail("spool", "\(path)/\(name) \(wrong)", "stop spoold, correct it with chown and chmod, and start spoold")
                }
            }
        } catch {
            return .fail("spool", "\(error)", "spoolctl fsck says what is wrong with the spool; a restart of spoold creates directories")
        }
        return .ok("spool", "\(path), \(isShared ? "for everybody" : "for \(session.owner?.name ?? "its owner") alone")")
    }

    private var isShared: Bool { session.owner == nil && UserPart.servesEverybody(session.spoolPath) }

    /// The five directories of a spool for everybody have mode 1777 and are root's. Those of one user are closed to all others.
    private func wrongMode(_ status: FileStatus) -> String? {
        let mode = status.mode & 0o7777
        if isShared {
            if status.owner != 0 { return "belongs to user \(status.owner), not to root" }
            // With `allow` nobody else may make a directory there.
            return mode & 0o022 != 0 && mode & 0o1000 == 0 ? "has mode \(String(mode, radix: 8)), and is not sticky" : nil
        }
        let owner = session.owner?.id ?? geteuid()
        if status.owner != owner { return "belongs to user \(status.owner), not to \(owner)" }
        return mode & 0o022 != 0 ? "has mode \(String(mode, radix: 8)): others can write to it" : nil
    }

    // MARK: The daemon

    private func serving() -> Diagnosis {
        guard let daemon else {
            let remedy =
                !SystemdUnit.isManager ? "start it: spoold &"
                : isSystemWide ? "systemctl enable --now spoold" : "systemctl --user enable --now spoold"
            return .fail("daemon", "no spoold serves the spool: nothing runs", remedy)
        }
        return .ok("daemon", "process \(daemon.pid) on \(daemon.host)")
    }

    private func version() -> Diagnosis? {
        guard daemon != nil, let version = published?.text("version") else { return nil }
        guard version == Version.text else {
            return .warn("version", "the daemon is version \(version), this spoolctl \(Version.text)", "spoolctl restart")
        }
        return .ok("version", version)
    }

    /// The troubles that the daemon itself reports.
    private func troubles() -> [Diagnosis] {
        guard daemon != nil, let published else { return [] }
        var diagnoses: [Diagnosis] = []
        if case .array(let troubles)? = published["troubles"]?.kind {
            for case .table(let one) in troubles.map(\.kind) {
                let message = "\(one.text("of") ?? "?"): \(one.text("error") ?? "?"); \(one.text("effect") ?? "")"
                diagnoses.append(.fail("troubles", message, "see the daemon's log; spoolctl fsck checks the spool"))
            }
        }
        if let held = published.text("held") {
            diagnoses.append(.warn("starts", "nothing starts: \(held)", "see max_load and min_free_space in the configuration"))
        }
        return diagnoses
    }

    /// The number of problems of files that are shown.
    private static let problemsMax = 10

    /// The files and users that the daemon could not use. The configuration and its calendars have checks of their own.
    private func problems() -> [Diagnosis] {
        guard daemon != nil, case .array(let problems)? = published?["problems"]?.kind else { return [] }
        let others = problems.compactMap { problem -> String? in
            guard case .table(let one) = problem.kind, let file = one.text("file"), let message = one.text("message"),
                file != session.configurationPath, !file.hasPrefix("calendars/")
            else { return nil }
            return message.hasPrefix(file) ? message : "\(file): \(message)"
        }
        let shown = others.prefix(Self.problemsMax).map {
            Diagnosis.warn("problems", $0, "correct it: spoold notices that; spoolctl status has all problems")
        }
        let more = others.count - shown.count
        return shown + (more > 0 ? [.warn("problems", "\(more) more", "spoolctl status has all problems")] : [])
    }

    private func unit() -> Diagnosis? {
        guard SystemdUnit.isManager else {
            return .ok("unit", "systemd does not run this machine; another program must start spoold at boot")
        }
        let unit = SystemdUnit(isOfUser: !isSystemWide)
        guard unit.isEnabled() else {
            return .warn("unit", "spoold.service is not enabled: spoold does not start at boot", "\(unit.command) enable spoold")
        }
        if !isSystemWide, let name = Self.ownName, access("/var/lib/systemd/linger/\(name)", F_OK) != 0 {
            return .warn("unit", "your spoold ends when you log out", "loginctl enable-linger")
        }
        return .ok("unit", "spoold.service is enabled")
    }

    private static var ownName: String? {
        orNil { () throws(Failure) in try attempt { () throws(SystemError) in try User.find(id: geteuid())?.name } }
    }

    // MARK: Configuration

    private func configuration() -> Diagnosis {
        let file = session.configurationPath ?? "no file"
        if case .table(let table)? = published?["configuration"]?.kind, daemon != nil, let first = table.texts("problems").first {
            return .fail("configuration", "\(first); the previous configuration is in force", "correct \(file); spoolctl check reads it")
        }
        do throws(Failure) {
            _ = try session.configuration()
            return .ok("configuration", FileName.isAccessible(file) ? file : "\(file) does not exist: the defaults count")
        } catch {
            return .fail("configuration", error.lines.joined(separator: "; "), "correct \(file); spoolctl check reads it")
        }
    }

    /// The calendars whose file is missing or cannot be used.
    private func calendars() -> [Diagnosis] {
        let calendars = Self.orNil { () throws(Failure) in try session.configuration().calendars }
        guard let calendars, !calendars.isEmpty else { return [] }
        let problems = calendars.problems
        guard !problems.isEmpty else { return [.ok("calendars", calendars.names.joined(separator: ", "))] }
        return problems.map { name, why in
            .warn(
                "calendars", "\(name) cannot be used; what spoold read of it last stays in force: \(why)",
                "correct the file or calendars.\(name) of the configuration; spoolctl check reads both")
        }
    }

    private func mail() -> Diagnosis? {
        guard let configuration = Self.orNil({ () throws(Failure) in try fileConfiguration() }) else { return nil }
        let program = configuration.mailCommand[0]
        guard access(program, X_OK) != 0 else { return .ok("mail", program) }
        let remedy = "install a program that provides \(program), such as the package msmtp-mta, or set mail_command"
        let message = "\(program) cannot be run: no task can send mail"
        return configuration.taskDefaults.mail == nil ? .warn("mail", message, remedy) : .fail("mail", "\(message), and all should", remedy)
    }

    /// The daemon does not publish `mail_command` and `min_free_space`.
    func fileConfiguration() throws(Failure) -> Configuration { try session.fileConfiguration() }

    // MARK: Room

    /// The space and the inodes of the spool's file system.
    private func room() -> [Diagnosis] {
        var space = statvfs()
        guard access(session.spoolPath, F_OK) == 0, statvfs(session.spoolPath, &space) == 0 else { return [] }
        let free = Int64(clamping: UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize)).partialValue)
        let all = Int64(clamping: UInt64(space.f_blocks).multipliedReportingOverflow(by: UInt64(space.f_frsize)).partialValue)
        let least = Self.orNil { () throws(Failure) in try fileConfiguration().minFreeBytes } ?? 0
        let text = "\(free >> 20) MiB of \(all >> 20) MiB are free"
        let remedy = "make room; spoolctl prune removes old records"
        var diagnoses: [Diagnosis] = []
        if free < max(least, 16 << 20) {
            diagnoses.append(.fail("space", "\(text): too little to start jobs", remedy))
        } else if free < all / 20, free < 1 << 30 {
            diagnoses.append(.warn("space", text, remedy))
        } else {
            diagnoses.append(.ok("space", text))
        }
        // Some file systems make inodes as they are needed, and report none.
        if space.f_files > 0 {
            let text = "\(space.f_favail) of \(space.f_files) inodes are free"
            if space.f_favail < 1000 {
                diagnoses.append(.fail("inodes", text, remedy))
            } else if space.f_favail < space.f_files / 20 {
                diagnoses.append(.warn("inodes", text, remedy))
            } else {
                diagnoses.append(.ok("inodes", text))
            }
        }
        return diagnoses
    }
}
