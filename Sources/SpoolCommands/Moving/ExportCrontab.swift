import Crontabs
import Linux
import Model
import Store
import TextSearch

/// Tasks as lines of one crontab. A variable applies to all lines below it, so a task's variables are reset for the next task.
struct ExportCrontab {
    /// True when each line names a user, as in `/etc/cron.d`.
    let isSystem: Bool
    let localZone: String
    private(set) var losses = ExportLosses()
    private var lines: [String] = []
    /// The variables that the lines so far have set.
    private var current: [(name: String, value: String)] = []

    init(isSystem: Bool, localZone: String) {
        self.isSystem = isSystem
        self.localZone = localZone
    }

    var text: String { lines.map { $0 + "\n" }.joined() }

    mutating func add(_ task: ExportedTask) {
        losses.lose(
            task,
            keysBut: [
                "command", "script", "title", "description", "stdin", "shell", "env", "directory", "umask", "mail", "schedule", "timezone",
                "overlap", "user", "combine_output",
            ],
            to: "a crontab")
        if task.job.overlap != .allow { losses.lose(task, "overlap: cron starts a run also while another is running") }
        if task.isForAnother, !isSystem {
            losses.lose(
                task, "user: a user's crontab runs its lines as that user; --system writes lines for /etc/cron.d, which name a user")
        }
        guard let command = command(task) else { return }
        let text: String
        do throws(CrontabLine.Unsayable) { text = try CrontabLine.text(command: command.text, input: command.input) } catch {
            return losses.lose(task, "command: \(error.why); put the command into a script")
        }
        if CrontabLine.dependsOnDialect(text) {
            losses.remark(task, "the command contains \\\\ for Debian's cron; cronie passes both to the shell")
        }
        for (index, schedule) in task.enabled.enumerated() {
            guard let when = when(schedule.definition) else {
                losses.lose(task, "\(schedule.definition.expression) cannot be expressed in a crontab")
                continue
            }
            let isReboot = schedule.definition.recurrence.isReboot
            if schedule.definition.catchUp != .none, !isReboot { losses.lose(task, "catch_up: cron never makes up for missed due times") }
            set(variables(task, schedule, shell: command.shell), task)
            // The comment is written directly above the line, because an import takes it for the description.
            if index == 0, let words = task.job.title ?? task.job.description { lines.append("# \(ExportWords.oneLine(words))") }
            lines.append("\(when) \(isSystem ? "\(task.user) " : "")\(text)")
        }
    }

    // MARK: When

    /// The schedule as it was written if cron(8) can read it, else in numbers.
    private func when(_ schedule: ScheduleDefinition) -> String? {
        guard let numbers = schedule.recurrence.crontabText else { return nil }
        guard schedule.expression.hasPrefix("cron \""), schedule.expression.hasSuffix("\"") else { return numbers }
        let text = String(schedule.expression.dropFirst(6).dropLast())
        let words = text.split(separator: " ")
        if ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@reboot"].contains(text) { return text }
        let isPlain = words.count == 5 && words.allSatisfy { word in
            word.split(separator: ",").allSatisfy { part in
                // Debian's cron refuses a step without a range, as in 5/15.
                (!part.contains("/") || part.hasPrefix("*/") || part.contains("-"))
                    && part.utf8.allSatisfy { "*/-".utf8.contains($0) || ExportWords.isPlain(String(Unicode.Scalar($0))) }
                    && !part.contains(where: { "LW#?~H".contains($0) && !Self.isName(part) })
            }
        }
        return isPlain ? words.joined(separator: " ") : numbers
    }

    /// True for the name of a month or a day, whose letters have no meaning of their own.
    private static func isName(_ part: Substring) -> Bool {
        let names: Set = [
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
            "sun", "mon", "tue", "wed", "thu", "fri", "sat",
        ]
        return part.lowercased().split { $0 == "-" || $0 == "/" }.allSatisfy { names.contains(String($0)) || $0.allSatisfy(\.isNumber) }
    }

    // MARK: Command

    private mutating func command(_ task: ExportedTask) -> (text: String, input: String?, shell: String)? {
        let job = task.job
        var shell = "/bin/sh"
        var text: String
        var input: String?
        switch job.action {
        case .arguments(let words): text = words.map(ExportWords.quoted).joined(separator: " ")
        case .line(let line) where job.shell.count == 2 && job.shell[1] == "-c":
            shell = job.shell[0]
            text = line
        case .line(let line): text = (job.shell + [line]).map(ExportWords.quoted).joined(separator: " ")
        case .script, .droppedScript:
            losses.lose(task, "script: put the script into a file, and name the file in the crontab")
            return nil
        }
        switch job.standardInput {
        case .text(let given): input = given
        case .file: losses.lose(task, "stdin: write it into the command, as in 'command < file'")
        case nil: break
        }
        // cron runs commands in HOME.
        let home = job.environment.last { $0.name == "HOME" }?.value ?? task.owner.home
        if task.directory != home { text = "cd \(ExportWords.quoted(task.directory)) || exit; \(text)" }
        if let umask = job.umask { text = "umask \(String(umask, radix: 8)); \(text)" }
        return (text, input, shell)
    }

    // MARK: Variables

    /// The variables that control cron, in the order in which they are written.
    private static let special = ["SHELL", "HOME", "MAILTO", "CRON_TZ", "RANDOM_DELAY"]

    /// The variables that the line needs, in the task's order.
    private mutating func variables(
        _ task: ExportedTask, _ schedule: ExportedTask.Schedule, shell: String
    ) -> [(name: String, value: String)] {
        // A nil value means cron's default.
        var wanted: [String: String?] = [:]
        wanted.updateValue(shell == "/bin/sh" ? job(task, "SHELL").flatMap { $0 == shell ? $0 : nil } : shell, forKey: "SHELL")
        wanted.updateValue(mailTo(task), forKey: "MAILTO")
        wanted.updateValue(job(task, "HOME"), forKey: "HOME")
        let definition = schedule.definition
        let minutes = (definition.jitterMilliseconds + 59_999) / 60_000
        if definition.recurrence.isReboot {
            // These variables do not affect an @reboot line.
            for name in ["CRON_TZ", "RANDOM_DELAY"] { wanted.updateValue(job(task, name), forKey: name) }
        } else {
            wanted.updateValue(schedule.isLocal ? nil : zoneName(task, definition), forKey: "CRON_TZ")
            wanted.updateValue(minutes > 0 ? "\(minutes)" : job(task, "RANDOM_DELAY") == "0" ? "0" : nil, forKey: "RANDOM_DELAY")
            if !schedule.isLocal { losses.remark(task, "only cronie knows CRON_TZ; Debian's cron uses the machine's clock") }
            if minutes > 0 { losses.remark(task, "only cronie knows RANDOM_DELAY; Debian's cron starts at once") }
            if definition.jitterMilliseconds % 60_000 != 0 { losses.lose(task, "jitter: RANDOM_DELAY is in minutes") }
        }
        var result: [(String, String)] = []
        for (name, value) in task.job.environment {
            if name == "LOGNAME" || name == "USER" {
                losses.lose(task, "env.\(name): cron sets it itself")
            } else if name == "PATH", value == Mail.cronPath {
                continue
            } else if let own = wanted[name] {
                // The task's value is kept in its place. A value that cron would misunderstand is lost.
                if let own { result.append((name, own)) }
                if value != own { losses.lose(task, "env.\(name): cron gives this variable another meaning") }
                wanted.removeValue(forKey: name)
            } else {
                result.append((name, value))
            }
        }
        if job(task, "PATH") == nil { result.insert(("PATH", Self.spoolPath), at: 0) }
        for name in Self.special { if let own = wanted[name] ?? nil { result.append((name, own)) } }
        // Resets variables that a task above has set and this task has not.
        for (name, value) in current where !result.contains(where: { $0.0 == name }) {
            switch name {
            case "SHELL": result.append((name, "/bin/sh"))
            case "PATH": result.append((name, Mail.cronPath))
            case "HOME": result.append((name, task.owner.home))
            case "MAILTO": result.append((name, task.user))
            case "CRON_TZ": result.append((name, localZone))
            case "RANDOM_DELAY": result.append((name, "0"))
            default:
                losses.lose(task, "env: \(name)=\(value), set by a task above, applies here too; export this task into another crontab")
            }
        }
        return result
    }

    /// The PATH of a job that does not set one.
    private static let spoolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The zone's name as the imported crontab wrote it, because a zone has several names.
    private func zoneName(_ task: ExportedTask, _ schedule: ScheduleDefinition) -> String {
        if case .array(let schedules)? = task.table["schedule"]?.kind {
            for case .table(let table) in schedules.map(\.kind) {
                if case .string(let name)? = table["timezone"]?.kind, name == job(task, "CRON_TZ") { return name }
            }
        }
        return schedule.zone.name
    }

    private func job(_ task: ExportedTask, _ name: String) -> String? { task.job.environment.last { $0.name == name }?.value }

    /// The value of MAILTO: nil for cron's default, empty for no mail.
    private mutating func mailTo(_ task: ExportedTask) -> String? {
        guard let mail = task.job.followUps.first(where: { $0.key == "mail" }), case .mail(let letter) = mail.action else { return "" }
        if mail.when != .output { losses.lose(task, "mail.when: cron mails whenever there is output, and only then") }
        let to = letter.to
        return to == (isSystem ? task.user : task.owner.name) && job(task, "MAILTO") == nil ? nil : to
    }

    private mutating func set(_ variables: [(name: String, value: String)], _ task: ExportedTask) {
        for (name, value) in variables where !current.contains(where: { $0 == (name, value) }) {
            do throws(CrontabLine.Unsayable) { lines.append(try CrontabLine.assignment(name, value)) } catch {
                losses.lose(task, "env.\(name): \(error.why)")
                continue
            }
            if CrontabLine.isChangedByDebian(value) {
                losses.remark(task, "env.\(name): Debian's cron removes blanks at the value's end and quotes around it; cronie keeps them")
            }
            current.removeAll { $0.name == name }
            current.append((name, value))
        }
    }
}
