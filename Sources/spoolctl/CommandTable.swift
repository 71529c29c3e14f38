extension Command {
    /// All commands, in the order in which help lists them: jobs, tasks, looking, holding, looking after.
    static let all: [Command] = [
        submit, run, wait, logs, status, jobs,
        create, list, show,
        version, help,
    ]
}
