import Glibc
import Linux
import Store

extension SpoolCommand {
    static let fsck = SpoolCommand(
        "fsck", "[--repair]", "find inconsistencies in the spool, and repair them",
        details: [
            """
            Compares the journal with the directories, and prints each inconsistency with what --repair would do. Exits with 0 when \
            there is none, and with 1 when there is one, also when something remains after --repair. While a daemon serves the spool, \
            files that may be moving are not checked. In a shared spool, root checks every user's part.
            """,
            """
            --repair needs the daemon stopped. It deletes only half-written files and unused unique keys. A damaged segment of the \
            journal is kept as NAME.log.damaged, and everything else without a place is moved to state/lost+found/.
            """,
        ],
        options: [Option("repair", "repair the spool, and print what was done")],
        examples: [
            Example("spoolctl fsck", "prints one line for each inconsistency"),
            Example("systemctl stop spoold && spoolctl fsck --repair", "repairs a spool after damage to the disk"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        var mended: [SpoolRepair.Mended] = []
        // Each user's part is a spool like any other.
        let code = try EverybodysSpool.each(session) { part throws(Failure) in mended += try Fsck(part).run() }
        Fsck.write(mended, session)
        let isWell = session.arguments.flag("repair") ? mended.allSatisfy { $0.done != nil } : mended.isEmpty
        return isWell ? code : ExitCode.failed
    }
}

private struct Fsck {
    let session: Session
    let fs: DiskFileSystem

    init(_ session: Session) throws(Failure) {
        self.session = session
        fs = try session.openSpool(ofAnyFormat: true)
    }

    /// The findings and, with `--repair`, what was done about each. Paths start at the shared spool.
    func run() throws(Failure) -> [SpoolRepair.Mended] {
        let found: [SpoolRepair.Mended] = session.arguments.flag("repair") ? try repair() : try check().map { ($0, nil) }
        guard let owner = session.owner, getuid() == 0 else { return found }
        return found.map { finding, done in
            var finding = finding
            finding.path = "\(UserPart.path(of: owner.name))/\(finding.path)"
            return (finding, done)
        }
    }

    private var name: String { session.owner.map { "the part of \($0.name)" } ?? "the spool" }

    private func check() throws(Failure) -> [Finding] {
        let context = try session.context()
        while true {
            let daemon = try session.daemon()
            if let daemon {
                session.complain("spoold, pid \(daemon.pid) on \(daemon.host), serves \(name): files that may be moving are not checked")
            }
            let findings = try attempt { () throws(SystemError) in
                try SpoolCheck.check(fs, isServed: daemon != nil, context, isHeld: isHeld)
            }
            // A daemon that has started meanwhile may have moved files during the check.
            if daemon != nil { return findings }
            if try session.daemon() == nil { return findings }
        }
    }

    private func repair() throws(Failure) -> [SpoolRepair.Mended] {
        let context = try session.context()
        // A spool of another format is never changed.
        if let format = try attempt({ () throws(SystemError) in try SpoolCheck.foreignFormat(fs) }) {
            throw Failure(ExitCode.failed, "\(session.spoolPath): the spool's format is \"\(format)\": use the programs that wrote it")
        }
        try attempt { () throws(SystemError) in try fs.makeDirectory(Layout.state) }
        let path = session.spoolPath
        let host = Machine.name()
        guard let lock = try attempt({ () throws(SystemError) in try SpoolLock.acquire(spool: path, host: host) }) else {
            let holder = try session.daemon()
            throw Failure(
                ExitCode.failed, "the spool \(path) is served by spoold, pid \(holder?.pid ?? 0) on \(holder?.host ?? "?"); stop it first")
        }
        let mended = try attempt { () throws(SystemError) in
            try SpoolRepair(fs, host: host, context, isHeld: isHeld).mend()
        }
        _ = consume lock
        return mended
    }

    /// True when a worker holds this record. A record that cannot be opened is held by none.
    private func isHeld(record: String) -> Bool {
        let path = "\(session.spoolPath)/\(Layout.workers)/\(record)"
        do throws(SystemError) { return try !FileDescriptor.open(path, O_RDONLY | O_NOFOLLOW).tryLock() } catch { return false }
    }

    // MARK: Printing

    static func write(_ mended: [SpoolRepair.Mended], _ session: Session) {
        if session.isJSON { return writeJSON(mended, session) }
        for (finding, done) in mended {
            let place = finding.line.map { "\(finding.path):\($0)" } ?? finding.path
            let remedy = done.map { "repaired: \($0)" } ?? "--repair \(finding.remedy.plan)"
            session.output.line(session.isQuiet ? place : Output.oneLine("fsck: \(place): \(finding.what); \(remedy)"))
        }
    }

    private static func writeJSON(_ mended: [SpoolRepair.Mended], _ session: Session) {
        session.output.jsonArray(mended) { writer, one in
            let (finding, done) = one
            writer.member("path", finding.path)
            writer.member("line", finding.line)
            writer.member("problem", finding.what)
            writer.member("repair", finding.remedy.plan)
            writer.member("done", done)
        }
    }
}
