import Linux
import Store

extension SpoolCommand {
    static let export = SpoolCommand(
        "export", "NAME --systemd | NAME… --crontab | --all DIR",
        "print a task as systemd units, or tasks as lines of a crontab, or copy all tasks",
        details: [
            """
            The reverse of import. Each key that the other scheduler cannot express, or treats differently, is reported on standard \
            error, and the exit code is then 4. Notes mark what applies to only one kind of cron.
            """,
            """
            --crontab: a variable applies to all lines below it, so export several tasks in one call: each task's variables are then \
            reset for the next. With --system each line names its user.
            """,
            """
            --all DIR copies the files of all tasks to DIR, and those of schedules/ to DIR/schedules, for version control and for \
            spoolctl apply. It writes only the files that differ, and removes none.
            """,
            "--systemd: the service of any user but root has User=. --user leaves User= out, for systemctl --user.",
        ],
        options: [
            Option("systemd", "print a service and a timer"),
            Option("crontab", "print lines for crontab(1)"),
            Option("system", "with --crontab: print lines for /etc/cron.d, which name a user"),
            Option("user", "with --systemd: print units for systemctl --user"),
            Option("all", value: "DIR", "copy the files of all tasks and schedules to this directory"),
            .partOf,
        ],
        examples: [
            Example("spoolctl export backup --crontab", "prints a line for a crontab"),
            Example("spoolctl export --all ./tasks", "copies all tasks, for version control"),
            Example("spoolctl export backup --systemd", "prints backup.service and then backup.timer"),
        ]
    ) { session throws(Failure) in
        let arguments = session.arguments
        let names = arguments.operands
        if let directory = arguments.value("all") {
            try session.noOperands()
            try arguments.refuse(["systemd", "crontab", "system", "user"], beside: "--all")
            return try ExportAll(session, to: directory).run()
        }
        if arguments.value("of") != nil { throw .usage("--of needs --all") }
        let isCrontab = arguments.flag("crontab")
        guard let name = names.first, isCrontab || names.count == 1 else {
            let what = names.isEmpty ? "a task's NAME" : "one task's NAME with --systemd"
            throw .usage("export needs \(what); see spoolctl export --help")
        }
        guard arguments.flag("systemd") != isCrontab else { throw .usage("export needs either --systemd or --crontab") }
        if arguments.flag("system"), !isCrontab { throw .usage("--system needs --crontab") }
        if arguments.flag("user"), isCrontab { throw .usage("--user needs --systemd") }
        let tasks = try names.map { (name) throws(Failure) in try session.exportedTask(name) }
        let text: String
        let losses: ExportLosses
        if isCrontab {
            let local = try session.localZone()
            var export = ExportCrontab(isSystem: arguments.flag("system"), localZone: local)
            for task in tasks { export.add(task) }
            (text, losses) = (export.text, export.losses)
        } else {
            var export = ExportUnits(tasks[0], isForUser: arguments.flag("user"))
            text = export.text()
            losses = export.losses
        }
        if session.isJSON {
            session.output.jsonObject { writer in
                writer.member("name", name)
                writer.member("text", text)
                for (key, lines) in [("lost", losses.lost), ("notes", losses.remarks)] {
                    writer.member(key, texts: lines)
                }
            }
        } else {
            session.output.write(bytes: FileName.bytes(of: text))
            for line in losses.lost + losses.remarks { session.complain(line) }
        }
        return losses.lost.isEmpty ? ExitCode.done : ExitCode.invalid
    }
}
