import Store

/// A task in the form of another scheduler, and what is lost on the way.
struct Export {
    let name: String
    let job: JobDefinition
    /// The task's keys as they stand in its file.
    let table: Table
    let schedules: [ScheduleDefinition]
    private(set) var lost: [String] = []

    init(name: String, job: JobDefinition, table: Table, schedules: [ScheduleDefinition]) {
        self.name = name
        self.job = job
        self.table = table
        self.schedules = schedules
    }

    private mutating func lose(keysBut carried: Set<String>, to what: String) {
        for entry in table.entries where !carried.contains(entry.key) { lost.append("\(entry.key) has no counterpart in \(what)") }
        if job.overlap != .allow, table["overlap"] == nil, what == "a crontab" { lost.append("overlap: cron starts a run whatever still runs") }
    }

    // MARK: crontab

    mutating func crontab() -> String {
        lose(keysBut: ["command", "description", "shell", "env", "directory", "umask", "mail", "schedule", "timezone", "overlap"], to: "a crontab")
        var lines: [String] = []
        if let description = job.description { lines.append("# \(Self.oneLine(description))") }
        if job.shell[0] != "/bin/sh" { lines.append("SHELL=\(job.shell[0])") }
        for (variable, value) in job.environment {
            if value.contains(where: \.isNewline) {
                lost.append("env.\(variable) has several lines")
            } else {
                lines.append("\(variable)=\"\(value)\"")
            }
        }
        var command = shellCommand
        if let directory = job.directory { command = "cd \(Self.quoted(directory)) && \(command)" }
        if let umask = job.umask { command = "umask \(String(umask, radix: 8)); \(command)" }
        if command.contains(where: \.isNewline) { lost.append("the command has several lines") }
        command = Self.oneLine(command).split(separator: "%", omittingEmptySubsequences: false).joined(separator: "\\%")
        for schedule in schedules where schedule.enabled {
            guard let when = schedule.recurrence.crontabText else {
                lost.append("\(schedule.expression) cannot be said in a crontab")
                continue
            }
            if schedule.catchUp != .none, !schedule.recurrence.isReboot { lost.append("catch_up: cron makes up for nothing that was missed") }
            if schedule.jitterMilliseconds > 0 { lines.append("RANDOM_DELAY=\((schedule.jitterMilliseconds + 59_999) / 60_000)") }
            if !schedule.recurrence.isReboot { lines.append("CRON_TZ=\(schedule.zone.name)") }
            lines.append("\(when) \(command)")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    // MARK: systemd

    mutating func units() -> String {
        lose(
            keysBut: [
                "command", "description", "shell", "env", "env_file", "directory", "umask", "user", "group", "nice", "timeout", "kill_after", "stop_signal",
                "success", "schedule", "timezone",
            ], to: "a systemd unit")
        let description = "Description=\(Self.oneLine(job.description ?? name).split(separator: "%", omittingEmptySubsequences: false).joined(separator: "%%"))"
        var service = ["# \(name).service", "[Unit]", description, "", "[Service]", "Type=oneshot"]
        let words: [String]
        switch job.action {
        case .arguments(let argv): words = argv
        case .line(let line): words = job.shell + [line]
        case .script, .droppedScript:
            words = []
            lost.append("script: put it into a file of its own and name that in ExecStart=")
        }
        if !words.isEmpty { service.append("ExecStart=" + words.map(Self.unitWord).joined(separator: " ")) }
        for (variable, value) in job.environment { service.append("Environment=" + Self.unitWord("\(variable)=\(value)", dollars: false)) }
        if let file = job.environmentFile { service.append("EnvironmentFile=\(file)") }
        if let directory = job.directory { service.append("WorkingDirectory=\(directory)") }
        if let umask = job.umask { service.append("UMask=0\(String(umask, radix: 8))") }
        if let user = job.user { service.append("User=\(user)") }
        if let group = job.group { service.append("Group=\(group)") }
        if let nice = table.whole("nice") { service.append("Nice=\(nice)") }
        if let timeout = job.timeoutMilliseconds { service.append("TimeoutStartSec=\(timeout)ms") }
        if table["kill_after"] != nil { service.append("TimeoutStopSec=\(job.killAfterMilliseconds)ms") }
        if table["stop_signal"] != nil { service.append("KillSignal=SIG\(Signal.name(job.stopSignal))") }
        if table["success"] != nil { service.append("SuccessExitStatus=" + job.success.map(String.init).joined(separator: " ")) }
        var timer: [String] = []
        for schedule in schedules where schedule.enabled { timer += timerLines(schedule) }
        guard !timer.isEmpty else { return Self.text(service) }
        if let jitter = schedules.map(\.jitterMilliseconds).max(), jitter > 0 { timer.append("RandomizedDelaySec=\(jitter)ms") }
        if schedules.contains(where: { $0.catchUp != .none }) { timer.append("Persistent=true") }
        return Self.text(service) + "\n"
            + Self.text(["# \(name).timer", "[Unit]", description, "", "[Timer]"] + timer + ["AccuracySec=1ms", "", "[Install]", "WantedBy=timers.target"])
    }

    private mutating func timerLines(_ schedule: ScheduleDefinition) -> [String] {
        if schedule.recurrence.isReboot { return ["OnBootSec=0"] }
        if let texts = schedule.recurrence.calendarTexts { return texts.map { "OnCalendar=\($0)" } }
        if let milliseconds = schedule.recurrence.intervalMilliseconds {
            return ["\(schedule.recurrence.isFromEnd ? "OnUnitInactiveSec" : "OnUnitActiveSec")=\(milliseconds)ms", "OnActiveSec=\(milliseconds)ms"]
        }
        let why = schedule.onPath == nil ? "" : ", and a path unit says neither which file came nor that one came meanwhile"
        lost.append("\(schedule.expression) cannot be said in a timer\(why)")
        return []
    }

    // MARK: Texts

    private static func text(_ lines: [String]) -> String { lines.map { $0 + "\n" }.joined() }

    private static func oneLine(_ text: String) -> String { text.split(whereSeparator: \.isNewline).joined(separator: " ") }

    private var shellCommand: String {
        switch job.action {
        case .arguments(let words): words.map(Self.quoted).joined(separator: " ")
        case .line(let line): line
        case .script(let text): text
        case .droppedScript: ":"
        }
    }

    /// For a shell: as it is where nothing in it means anything to one.
    static func quoted(_ word: String) -> String {
        let isPlain = !word.isEmpty && word.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: "_-./:=@,+".utf8.contains(byte)
            }
        }
        if isPlain { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    /// For a unit's line, systemd.service(5), "Command lines": in double quotes with C's escapes, `%` doubled; in a command `$` too.
    static func unitWord(_ word: String) -> String { unitWord(word, dollars: true) }

    static func unitWord(_ word: String, dollars: Bool) -> String {
        var text = ""
        for character in word {
            switch character {
            case "%": text += "%%"
            case "$" where dollars: text += "$$"
            case "\"", "\\": text += "\\\(character)"
            case "\n": text += "\\n"
            case "\t": text += "\\t"
            default: text.append(character)
            }
        }
        let isPlain = text == word && quoted(word) == word
        return isPlain ? word : "\"\(text)\""
    }
}
