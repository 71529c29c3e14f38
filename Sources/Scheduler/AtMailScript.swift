import Model

/// The script of a job that mails another job's output as atd(8) does: whole, below the number of the job.
struct AtMailScript {
    let text: String

    init(_ job: Job, _ mail: Mail, command: [String]) {
        // A job of at is named at-NUMBER. atd writes the number with at least eight characters.
        let number = job.name.hasPrefix("at-") ? String(job.name.dropFirst(3)) : job.name
        let padding = String(repeating: " ", count: max(0, 8 - number.utf8.count))
        let sender = mail.from.map { ["From: \($0)"] } ?? []
        let header = sender + ["Subject: Output from your job \(padding)\(number)", "To: \(mail.to)"]
        text = """
            #!/bin/sh
            # Mails what a job wrote, as atd does.
            {
                printf '%s\\n' \(header.map(MailScript.quoted).joined(separator: " ")) ''
                cat "$SPOOL_PARENT_DIR/stdout"
                if [ -s "$SPOOL_PARENT_DIR/stderr" ]; then cat "$SPOOL_PARENT_DIR/stderr"; fi
            } | \(command.map(MailScript.quoted).joined(separator: " "))

            """
    }
}
