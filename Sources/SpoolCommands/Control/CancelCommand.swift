import Store

extension Command {
    static let cancel = Command(
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

    static let kill = Command(
        "kill", "ID… | filters [-s SIGNAL]", "send a signal to running jobs",
        details: ["To the whole process group of the job. SIGKILL unless another is named. With filters, which are those of jobs, to the running jobs that match."],
        options: [Option("signal", "s", value: "SIGNAL", "a name or number, such as TERM, USR1 or 10")] + JobSelection.options,
        examples: [Example("spoolctl kill -s HUP \"$id\"", "what the job does then is its own affair")]
    ) { session throws(Failure) in
        var signal: Int32 = 9
        if let text = session.arguments.value("signal") {
            guard let number = Signal.number(text) else {
                let near = nearest(to: text.uppercased(), among: Signal.names.map(\.name))
                throw .usage("--signal: \"\(text)\" is not a signal" + (near.map { "; did you mean \"\($0)\"?" } ?? ""))
            }
            signal = number
        }
        let selection = try JobSelection(session, states: [.running], usually: [.running])
        return try JobRequests.ask(session, selection, pastTense: "sent \(Signal.name(signal))") { writer in
            writer.member("do", "kill")
            writer.member("signal", Int(signal))
        }
    }
}
