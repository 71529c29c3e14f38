import Store

extension SpoolCommand {
    static let logs = SpoolCommand(
        "logs", "ID… [-f] [--stdout|--stderr] [-n N] [--try N|--since-try N]", "print the output of jobs",
        details: [
            """
            Prints the standard output and then the standard error of the last try. When both hold something, or with -f, a line of \
            standard error begins with "stderr| ". With --stdout or --stderr, prints only that one, unchanged. On a terminal, control \
            characters except colours are escaped unless --raw is given.
            """,
            "With several IDs, a line ==> ID <== comes before the output of each; with -f, each is followed to its end before the next.",
            """
            With --json, prints an object with id, stream, try and text: the output so far. Standard error has an object of its own \
            when it holds something.
            """,
        ],
        options: [
            Option("follow", "f", "follow the output until the job has ended"),
            Option("stdout", "o", "print only standard output"),
            Option("stderr", "e", "print only standard error"),
            Option("lines", "n", value: "N", "begin with the last N lines of each output"),
            Option("try", value: "N", "print the output of try N"),
            Option("since-try", value: "N", "print the output of try N and of all later ones"),
            Option("raw", "do not escape control characters on a terminal"),
        ],
        examples: [
            Example("spoolctl logs backup", "the output of the newest run of a task"),
            Example("spoolctl logs -f -n 20 \"$id\"", "follows a job, also one that has not started"),
            Example("spoolctl logs --stderr --try 1 k3f9ab", "the errors of the first try"),
        ]
    ) { session throws(Failure) in
        var records = try session.records()
        // All words are looked up first, so that a wrong one ends the command before any output.
        var ids: [String] = []
        for word in try session.operands("a job's ID") { ids.append(try session.job(word, &records).place.id) }
        var code = ExitCode.done
        for (index, id) in ids.enumerated() {
            if ids.count > 1, !session.isJSON { session.output.line("\(index > 0 ? "\n" : "")==> \(session.qualified(id)) <==") }
            var logs = try JobLogs(session, records, id: id)
            // The other jobs may have output.
            do throws(Failure) { try logs.run() } catch {
                for line in error.lines { session.complain(line) }
                if code == ExitCode.done { code = error.code }
            }
        }
        return code
    }
}
