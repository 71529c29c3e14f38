extension SpoolCommand {
    /// All commands, in the order in which help lists them: jobs, from inside a job, tasks, questions, control and maintenance.
    static let all: [SpoolCommand] = [
        submit, run, backfill, wait, logs, status, health, jobs, top, cancel, kill, retry, forget,
        progress, result, extend,
        create, update, edit, delete, schedule, unschedule, list, show, next, explain, simulate, why,
        pause, resume, restart, check, `import`, export, prune, fsck, journal, demo,
        completion, version, help,
    ]
}
