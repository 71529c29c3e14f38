import Store

extension SpoolCommand {
    static let kill = SpoolCommand(
        "kill", "ID… | filters [-s SIGNAL]", "send a signal to running jobs",
        details: [
            """
            The signal goes to the job's whole process group; without --signal it is SIGKILL. The filters are those of spoolctl jobs, \
            and match running jobs.
            """,
        ],
        options: [Option("signal", "s", value: "SIGNAL", "a name or number, such as TERM, USR1 or 10")] + JobSelection.options,
        examples: [Example("spoolctl kill -s HUP \"$id\"", "the job decides what the signal means")]
    ) { session throws(Failure) in
        var signal: Int32 = 9
        if let text = session.arguments.value("signal") {
            guard let number = Signal.number(text) else {
                let spelling = session.arguments.spelling(of: "signal")
                throw .usage("\(spelling): \"\(text)\" is not a signal".suggesting(text.uppercased(), among: Signal.names.map(\.name)))
            }
            signal = number
        }
        let selection = try JobSelection(session, states: [.running], usually: [.running])
        return try JobRequests.ask(session, selection, pastTense: "signaled with \(Signal.name(signal))") { writer in
            writer.member("do", "kill")
            writer.member("signal", Int(signal))
        }
    }
}
