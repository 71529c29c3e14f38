import Store

extension Command {
    static let cancel = Command(
        "cancel", "ID…", "cancel jobs",
        details: [
            "One that waits never runs; one that runs is told to stop, with its stop_signal and later with SIGKILL. It ends in failed/ with the reason canceled. Without a daemon the request is kept in control/ until one starts.",
            "However many are named, spoold cancels them in one turn: none that waits starts because one that runs has ended.",
        ],
        examples: [
            Example("spoolctl cancel \"$id\"", "exits with 1 when the job has ended already"),
            Example("spoolctl cancel $(spoolctl jobs -q --state new,running)", "everything that waits or runs"),
        ]
    ) { session throws(Failure) in
        var requests = JobRequests(session, pastTense: "canceled")
        let jobs = try requests.open(try session.operands("a job's ID"))
        try requests.ask(for: jobs) { $0.member("do", "cancel") }
        return requests.code
    }

    static let kill = Command(
        "kill", "ID… [-s SIGNAL]", "send a signal to running jobs",
        details: ["To the whole process group of the job. SIGKILL unless another is named."],
        options: [Option("signal", "s", value: "SIGNAL", "a name or number, such as TERM, USR1 or 10")],
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
        var requests = JobRequests(session, pastTense: "sent \(Signal.name(signal))")
        let jobs = try requests.open(try session.operands("a job's ID"))
        try requests.ask(for: jobs) { writer in
            writer.member("do", "kill")
            writer.member("signal", Int(signal))
        }
        return requests.code
    }
}
