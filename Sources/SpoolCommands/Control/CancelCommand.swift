import Store

extension SpoolCommand {
    static let cancel = SpoolCommand(
        "cancel", "ID… | filters", "cancel jobs",
        details: [
            """
            A waiting job is never started. A running job gets its stop_signal, and SIGKILL after kill_after. Its record is in failed/ \
            with the reason canceled. Without a daemon the request stays in control/ until one starts.
            """,
            "The filters are those of spoolctl jobs. They match waiting and running jobs unless --state names one of these states.",
            "spoold cancels all of them at once: no waiting job starts because a running one has ended.",
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
