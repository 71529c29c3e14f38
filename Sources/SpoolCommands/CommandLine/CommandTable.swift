extension SpoolCommand {
    /// All commands in their groups, as help and the manual list them.
    static let groups: [(title: String, commands: [SpoolCommand])] = [
        ("Jobs", [submit, run, backfill, wait, logs, status, health, jobs, summary, top, cancel, kill, retry, forget]),
        ("From inside a job", [progress, result, extend]),
        ("Tasks", [create, update, edit, delete, schedule, unschedule, list, show]),
        ("Due times", [next, explain, simulate, timeline, why]),
        ("Checking, importing, exporting", [check, `import`, export, apply]),
        ("The spool", [pause, resume, restart, prune, fsck, doctor, journal, metrics, monitor]),
        ("spoolctl itself", [demo, completion, version, help]),
    ]

    static let all = groups.flatMap(\.commands)
}
