import Store

extension SpoolCommand {
    static let cancel = SpoolCommand(
        "cancel", "ID… | filters", "cancel jobs",
        details: [
            "One that waits never runs; one that runs is told to stop, with its stop_signal and later with SIGKILL. It ends in failed/ with the reason canceled. Without a daemon the request is kept in control/ until one starts.",
            "With filters, which are those of jobs, the jobs that match are canceled: of those that wait or run, unless --state says which.",
            "However many there are, spoold cancels them in one turn: none that waits starts because one that runs has ended.",
        ],
        options: JobSelection.options,
        examples: [
            Example("spoolctl cancel \"$id\"", "exits with 1 when the job has ended already"),
            Example("spoolctl cancel --state new,running", "everything that waits or runs"),
            Example("spoolctl cancel --task report --dry-run", "says which jobs would be canceled"),
        ]
    ) { session throws(Failure) in
        let selection = try JobSelection(session, states: [.new, .running], usually: [.new, .running])
        return try JobRequests.ask(session, selection, pastTense: "canceled") { $0.member("do", "cancel") }
    }
}
