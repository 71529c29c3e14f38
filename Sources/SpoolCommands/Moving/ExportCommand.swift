import Linux
import Store

extension SpoolCommand {
    static let export = SpoolCommand(
        "export", "NAME --systemd | NAME… --crontab", "write a task as systemd units, or tasks as lines for a crontab",
        details: [
            "The way back. What the other side cannot do or would do otherwise is said on standard error, a line for each key, and the exit code is then 4. Notes say what holds for one kind of cron alone.",
            "--crontab: variables hold for all lines below them, so one call for several tasks sets back what one of them sets. With --system each line names the user that it runs as.",
            "--systemd: the service of anybody but root has User=, so that it runs as that user whoever installs it. --user leaves that out, for systemctl --user.",
        ],
        options: [
            Option("systemd", "a service and a timer"),
            Option("crontab", "lines for crontab(1)"),
            Option("system", "with --crontab, lines for /etc/cron.d, which name a user"),
            Option("user", "with --systemd, units for systemctl --user"),
        ],
        examples: [
            Example("spoolctl export backup --crontab", "lines to add to a crontab"),
            Example("spoolctl export backup --systemd", "backup.service and backup.timer, one after the other"),
        ]
    ) { session throws(Failure) in
        let arguments = session.arguments
        let names = arguments.operands
        let isCrontab = arguments.flag("crontab")
        guard let name = names.first, isCrontab || names.count == 1 else {
            throw .usage("export needs \(names.isEmpty ? "a task's NAME" : "one task's NAME with --systemd"); see spoolctl export --help")
        }
        guard arguments.flag("systemd") != isCrontab else { throw .usage("export needs --systemd or --crontab, to say as what") }
        if arguments.flag("system"), !isCrontab { throw .usage("--system goes with --crontab") }
        if arguments.flag("user"), isCrontab { throw .usage("--user goes with --systemd") }
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
