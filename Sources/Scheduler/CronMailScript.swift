import Model

/// The script of a job that mails another job's output in the form of cron(8): whole, with the command as the subject and the variables
/// of the crontab in the header. Mail filters rely on this form.
///
/// Nothing from the other job can add a line to the header: a control character in the command or in a variable becomes a blank.
public struct CronMailScript {
    let text: String

    private static let opening = "#!/bin/sh\n# Mails what a job wrote, as cron does.\n"

    /// True for a job that sends such a mail.
    public static func isScript(of definition: JobDefinition) -> Bool {
        if case .script(let text) = definition.action { text.hasPrefix(opening) } else { false }
    }

    init(_ job: Job, _ mail: Mail, host: String, command: [String]) {
        // The script runs as the user of the job, so its HOME and LOGNAME are the user's.
        let shortHost = host.split(separator: ".").first.map(String.init) ?? host
        let variables = job.definition.environment
        func variable(_ name: String) -> String? { variables.last { $0.name == name }?.value }
        // cron names the codeset of its own locale, and ASCII as mail does. Here it is the locale of the session of the job's user.
        let charset = "charset=$(locale charmap 2>/dev/null || echo UTF-8)\n[ \"$charset\" != ANSI_X3.4-1968 ] || charset=US-ASCII\n"
        let contentType = variable("CONTENT_TYPE").map { MailScript.quoted("Content-Type: \(Self.line($0))") }
            ?? "\"Content-Type: text/plain; charset=$charset\""
        let encoding = "Content-Transfer-Encoding: \(Self.line(variable("CONTENT_TRANSFER_ENCODING") ?? "8bit"))"
        // cron adds what the crontab does not set after what it sets.
        let hasOwnPath = variable("PATH") != Mail.cronPath
        let given = variables.filter { hasOwnPath || $0.name != "PATH" }.map { "X-Cron-Env: <\(Self.line("\($0.name)=\($0.value)"))>" }
        var words = (["From: \(Self.line(mail.from ?? "root (Cron Daemon)"))", "To: \(mail.to)"]).map(MailScript.quoted)
        words.append("\"Subject: Cron <$LOGNAME@\"\(MailScript.quoted("\(Self.line(shortHost))> \(Self.line(Self.command(of: job)))"))")
        words += [MailScript.quoted("MIME-Version: 1.0"), contentType, MailScript.quoted(encoding)] + given.map(MailScript.quoted)
        if variable("SHELL") == nil { words.append(MailScript.quoted("X-Cron-Env: <SHELL=\(Self.line(job.definition.shell[0]))>")) }
        if variable("HOME") == nil { words.append("\"X-Cron-Env: <HOME=$HOME>\"") }
        if !hasOwnPath { words.append(MailScript.quoted("X-Cron-Env: <PATH=\(Mail.cronPath)>")) }
        words.append("\"X-Cron-Env: <LOGNAME=$LOGNAME>\"")
        text = Self.opening + (variable("CONTENT_TYPE") == nil ? charset : "") + """
            {
                printf '%s\\n' \(words.joined(separator: " \\\n        ")) ''
                cat "$SPOOL_PARENT_DIR/\(Self.outputFile)"
                if [ -s "$SPOOL_PARENT_DIR/\(Self.errorFile)" ]; then cat "$SPOOL_PARENT_DIR/\(Self.errorFile)"; fi
            } | \(command.map(MailScript.quoted).joined(separator: " "))

            """
    }

    private static let outputFile = "stdout"
    private static let errorFile = "stderr"

    private static func command(of job: Job) -> String {
        switch job.definition.action {
        case .line(let line): line
        case .arguments(let words): words.joined(separator: " ")
        case .script, .droppedScript: job.name
        }
    }

    private static func line(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
    }
}
