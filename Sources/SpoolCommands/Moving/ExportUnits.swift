import Linux
import Store

/// A task as a service and a timer of systemd. No value of a key can add a line to a unit.
struct ExportUnits {
    let task: ExportedTask
    /// True for units of a user's own service manager, which ignores `User=`.
    let isForUser: Bool
    private(set) var losses = ExportLosses()

    init(_ task: ExportedTask, isForUser: Bool) {
        self.task = task
        self.isForUser = isForUser
    }

    mutating func text() -> String {
        let (job, table) = (task.job, task.table)
        losses.lose(
            task,
            keysBut: [
                "command", "script", "title", "description", "shell", "env", "env_file", "directory", "umask", "user", "group", "nice",
                "timeout",
                "kill_after", "stop_signal", "success", "schedule", "timezone",
            ], to: "a systemd unit")
        var service: [String] = []
        if let words = command() {
            // systemd.service(5): the program is an absolute path or a plain name; some characters at its beginning are prefixes.
            let first = words[0].utf8.first ?? 0
            let isProgram =
                ExportWords.isPlain(words[0]) && (first == UInt8(ascii: "/") || !words[0].contains("/") && !"-@:+=,.".utf8.contains(first))
            let line = isProgram ? words : ["/bin/sh", "-c", "exec \"$0\" \"$@\""] + words
            if line.contains(where: { FileName.bytes(of: $0) != Array($0.utf8) }) {
                losses.lose(task, "command: a unit can contain only UTF-8")
            }
            service.append("ExecStart=" + line.map { Self.word($0, dollars: true) }.joined(separator: " "))
        }
        for (name, value) in job.environment {
            if !Self.isVariable(name) || !Self.isValue(value) {
                losses.lose(task, "env.\(ExportWords.oneLine(name)): systemd does not accept this name or value")
            } else {
                service.append("Environment=" + Self.word("\(name)=\(value)", dollars: false))
            }
        }
        if job.directory == nil || job.directory == "~" {
            service.append("WorkingDirectory=~")
        } else {
            path(task.directory, "WorkingDirectory", "directory", &service)
        }
        if let file = job.environmentFile {
            let whole = file.hasPrefix("/") ? file : "\(task.directory)/\(file)"
            // systemd.exec(5): a pattern means all files that match it.
            if whole.contains(where: { "*?[".contains($0) }) {
                losses.lose(task, "env_file: systemd would read the name as a pattern")
            } else {
                path(whole, "EnvironmentFile", "env_file", &service)
            }
        }
        if let umask = job.umask { service.append("UMask=0\(String(umask, radix: 8))") }
        // The system's manager runs a service without User= as root, so only root's tasks omit it.
        if isForUser {
            if task.isForAnother { losses.lose(task, "user: a user's service manager runs its services as that user") }
        } else if task.user != "root" {
            service.append("User=\(Self.plain(task.user))")
        }
        if let group = job.group { service.append("Group=\(Self.plain(group.description))") }
        if case .integer(let nice)? = table["nice"]?.kind { service.append("Nice=\(nice)") }
        if let timeout = job.timeoutMilliseconds { service.append("TimeoutStartSec=\(timeout)ms") }
        if table["kill_after"] != nil { service.append("TimeoutStopSec=\(job.killAfterMilliseconds)ms") }
        if table["stop_signal"] != nil { service.append("KillSignal=SIG\(Signal.name(job.stopSignal))") }
        if table["success"] != nil {
            if !job.success.contains(0) { losses.lose(task, "success: systemd also counts 0 as success") }
            service.append("SuccessExitStatus=" + job.success.map(String.init).joined(separator: " "))
        }
        let description = "Description=\(Self.plain(job.title ?? job.description ?? task.name))"
        let unit = Self.section(["# \(task.name).service", "[Unit]", description, "", "[Service]", "Type=oneshot"] + service)
        let timer = timerLines()
        guard !timer.isEmpty else { return unit }
        return unit + "\n"
            + Self.section(
                ["# \(task.name).timer", "[Unit]", description, "", "[Timer]"] + timer
                    + ["AccuracySec=1ms", "", "[Install]", "WantedBy=timers.target"])
    }

    private mutating func command() -> [String]? {
        switch task.job.action {
        case .arguments(let argv): return argv
        case .line(let line): return task.job.shell + [line]
        case .script, .droppedScript:
            losses.lose(task, "script: put the script into a file, and name the file in ExecStart=")
            return nil
        }
    }

    // MARK: When

    private mutating func timerLines() -> [String] {
        var lines: [String] = []
        for schedule in task.enabled { lines += timerLines(schedule) }
        guard !lines.isEmpty else { return [] }
        let schedules = task.enabled.map(\.definition)
        if let jitter = schedules.map(\.jitterMilliseconds).max(), jitter > 0 {
            lines.append("RandomizedDelaySec=\(jitter)ms")
            if schedules.contains(where: { $0.jitterMilliseconds != jitter }) {
                losses.lose(task, "jitter: a timer has one delay for all its times")
            }
        }
        let catches = schedules.map { $0.catchUp != .none }
        if catches.contains(true) {
            lines.append("Persistent=true")
            if catches.contains(false) { losses.lose(task, "catch_up: a timer has one rule for all its times") }
        }
        return lines
    }

    private mutating func timerLines(_ schedule: ExportedTask.Schedule) -> [String] {
        let definition = schedule.definition
        if definition.recurrence.isReboot { return ["OnBootSec=0"] }
        if let texts = definition.recurrence.calendarTexts(namingZone: !schedule.isLocal) {
            return texts.map { "OnCalendar=\(Self.plain($0))" }
        }
        if let milliseconds = definition.recurrence.intervalMilliseconds {
            let setting = definition.recurrence.isFromEnd ? "OnUnitInactiveSec" : "OnUnitActiveSec"
            return ["\(setting)=\(milliseconds)ms", "OnActiveSec=\(milliseconds)ms"]
        }
        let why = definition.onPath == nil ? "" : ", and a path unit neither names the file nor reports files that arrive during a run"
        losses.lose(task, "\(definition.expression) cannot be expressed in a timer\(why)")
        return []
    }

    // MARK: Texts

    private static func section(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }

    /// systemd.unit(5): a path is the rest of its line; only `%` is special.
    private mutating func path(_ path: String, _ directive: String, _ key: String, _ service: inout [String]) {
        let isPossible =
            !ExportWords.hasControl(path) && !path.hasSuffix(" ") && !path.hasSuffix("\\") && FileName.bytes(of: path) == Array(path.utf8)
        guard isPossible else {
            let what = "control characters, a blank or \\ at its end, or bytes that are not UTF-8"
            return losses.lose(task, "\(key): systemd does not accept a path with \(what)")
        }
        service.append("\(directive)=\(path.split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%%"))")
    }

    /// systemd.syntax(7): the text is the rest of a line, and a `\` at its end would continue the line.
    private static func plain(_ text: String) -> String {
        var line = ExportWords.oneLine(text).split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%%")
        while let last = line.last, last == "\\" || last == " " { line.removeLast() }
        return line
    }

    private static func isVariable(_ name: String) -> Bool {
        !(name.utf8.first.map { (0x30...0x39).contains($0) } ?? true)
            && name.utf8.allSatisfy { $0 == 0x5F || (0x30...0x39).contains($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
    }

    private static func isValue(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { $0 == "\t" || $0 == "\n" || $0.value >= 0x20 && $0.value != 0x7F && $0.value < 0x10FF00 }
    }

    /// systemd.service(5), "Command lines": in double quotes with C's escapes, `%` doubled; in a command `$` too.
    static func word(_ word: String, dollars: Bool) -> String {
        if ExportWords.isPlain(word) { return word }
        var text = ""
        for scalar in word.unicodeScalars {
            switch scalar {
            case "%": text += "%%"
            case "$" where dollars: text += "$$"
            case "\"", "\\": text += "\\\(scalar)"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                text += "\\x\(digits.utf8.count < 2 ? "0" : "")\(digits)"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return "\"\(text)\""
    }
}
