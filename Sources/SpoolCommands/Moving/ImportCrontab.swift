import Crontabs
import Glibc
import Linux
import Store

/// `spoolctl import crontab`: writes a task for each line of crontabs.
struct ImportCrontab {
    let session: Session
    private let owner: String
    private let context: ReadingContext

    init(_ session: Session) throws(Failure) {
        self.session = session
        let user = try attempt { () throws(SystemError) in try User.find(id: geteuid()) }
        owner = user?.name ?? String(geteuid())
        context = try session.context()
    }

    func run(_ files: [String]) throws(Failure) -> Int32 {
        if session.isJSON, session.arguments.flag("verify") { throw .usage("--verify prints a table; it cannot be used with --json") }
        var tasks: [CrontabTask] = []
        var counts = Counts()
        for found in try CrontabFiles(session).found(files) {
            switch found.content {
            case .refused(let why):
                session.complain("\(found.file): \(why)")
                counts.refused += 1
            case .bytes(let bytes):
                let crontab = Crontab(bytes, isSystem: found.isSystem, isUser: Self.isUser)
                var (problems, remarks) = (crontab.problems, crontab.remarks)
                for entry in crontab.entries {
                    let home = Self.missingHome(entry)
                    if let home {
                        let message = "there is no directory HOME=\(home), so the task runs in /"
                        remarks.append(Crontab.Problem(line: entry.line, column: 1, message: message))
                    }
                    do throws(CrontabTask.Refusal) { tasks.append(try task(entry, of: found, in: home == nil ? nil : "/")) } catch {
                        problems.append(Crontab.Problem(line: entry.line, column: 1, message: error.why))
                    }
                }
                counts.refused += problems.count
                let notes = remarks.map {
                    Crontab.Problem(line: $0.line, column: $0.column, message: "note: \($0.message)")
                }
                let all = problems + notes
                for problem in all.sorted(by: { ($0.line, $0.column) < ($1.line, $1.column) }) {
                    session.complain("\(found.file):\(problem.line):\(problem.column): \(problem.message)")
                }
                if crontab.entries.isEmpty, crontab.problems.isEmpty {
                    session.complain("\(found.file): the file has no line with a command")
                }
            }
        }
        if session.arguments.flag("verify") {
            try verify(tasks)
        } else if session.arguments.flag("dry-run") {
            try place(tasks, &counts) { (task, name) in
                session.printFile(task.source, wouldBe: "\(Layout.tasks)/\(name).\(task.source.format == .json ? "json" : "toml")")
                return true
            }
            counts.print(session, written: "to be written")
        } else {
            let writing = DefinitionWriting(fs: try session.openSpoolForWriting(), directory: Layout.tasks)
            try place(tasks, &counts) { (task, name) throws(Failure) in
                guard try writing.add(task.source, stem: name) else { return false }
                if session.isJSON {
                    session.printTask(name, change: "created task \(name)")
                } else {
                    session.output.noteChange("created task \(name)")
                    session.output.line(name)
                }
                return true
            }
            counts.print(session, written: "written")
        }
        return counts.refused == 0 ? ExitCode.done : ExitCode.invalid
    }

    private struct Counts {
        var written = 0
        var same = 0
        var refused = 0

        func print(_ session: Session, written word: String) {
            // A single refusal, or a file without lines, was reported before.
            if written + same == 0, refused < 2 { return }
            session.complain("\(written) \(word), \(same) the same, \(refused) refused")
        }
    }

    /// A user that the database does not know, or that cannot be looked up, is not a user.
    private static func isUser(_ name: String) -> Bool { ((try? User.find(name: name)) ?? nil) != nil }

    // MARK: Tasks

    /// The HOME of a line, if it is not there now. cron runs the command in the directory where cron is.
    private static func missingHome(_ entry: Crontab.Entry) -> String? {
        guard let home = entry.settings["HOME"] else { return nil }
        do throws(SystemError) {
            return try FileStatus.read(home, followingLinks: true).kind == .directory ? nil : home
        } catch {
            // Another error, as of a home on a network that root cannot enter, says nothing about the user.
            return error.isMissing ? home : nil
        }
    }

    private func task(
        _ entry: Crontab.Entry, of found: CrontabFiles.Found, in directory: String?
    ) throws(CrontabTask.Refusal) -> CrontabTask {
        let stem = found.isSystem ? String(found.file.split(separator: "/").last ?? "cron") : ProgramName.of(entry.command)
        let task = try CrontabTask(
            entry, name: Name.sanitized(stem.prefix(50)), owner: owner, user: found.user ?? owner, isRoot: geteuid() == 0, file: found.file,
            directory: directory)
        do throws(Problems) { try TaskDefinition(name: task.name, source: task.source, context).checkRun(context) } catch {
            throw CrontabTask.Refusal(why: error.all.map(\.text).joined(separator: "; "))
        }
        return task
    }

    /// Finds a free name for each task that does not exist already: `sysstat`, `sysstat-2`.
    ///
    /// - Parameter write: writes a task; false when another program has taken the name meanwhile.
    private func place(
        _ tasks: [CrontabTask], _ counts: inout Counts, write: (CrontabTask, String) throws(Failure) -> Bool
    ) throws(Failure) {
        var known = try KnownTasks(session)
        for task in tasks {
            if try known.claim(task) {
                counts.same += 1
                continue
            }
            while try !write(task, known.freeName(task.name)) {}
            counts.written += 1
        }
    }

    // MARK: Verifying

    private static let runsToVerify = 20

    /// Prints the due times of the crontab's fields beside those of the task as the daemon would read it.
    private func verify(_ tasks: [CrontabTask]) throws(Failure) {
        var table = TextTable(["TASK", "CRONTAB", "TASK'S", ""])
        for task in tasks {
            let zone: Zone
            let there: Recurrence
            do throws(RecurrenceError) {
                zone = try session.zones.zone(task.entry.settings.zone ?? "local")
                there = try Recurrence.cron(task.entry.when, zone: zone, zones: session.zones, stableSeed: stableHash(task.name))
            } catch { throw .invalid("\(task.name): \(error)") }
            let here: ScheduleDefinition?
            do throws(Problems) { here = try TaskDefinition(name: task.name, source: task.source, context).schedules.first } catch {
                throw .invalid("\(task.name): \(error)")
            }
            var (one, other): (Instant?, Instant?) = (session.now, session.now)
            for _ in 0..<Self.runsToVerify {
                one = one.flatMap { there.next(after: $0, origin: session.now) }
                other = other.flatMap { here?.recurrence.next(after: $0, origin: session.now) }
                if one == nil, other == nil { break }
                table.add([
                    .init(task.name), .init(one.map { TimeText.local($0, zone) } ?? "-"),
                    .init(other.map { TimeText.local($0, here?.zone ?? zone) } ?? "-"),
                    .init(one == other ? "" : "differs", .red),
                ])
            }
        }
        table.write(to: session.output)
    }
}
