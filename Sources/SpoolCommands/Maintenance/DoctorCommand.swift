import Store

extension SpoolCommand {
    static let doctor = SpoolCommand(
        "doctor", "", "say what an installation lacks, each with its remedy",
        details: [
            """
            Looks at the spool, the daemon and its programs, the unit, the configuration and its calendars, the mail program, time \
            zones, limits, the clock, the room on the disk, and has each executor in use check itself. Each line begins with ok, warn or \
            fail. A failure keeps spoold from working; a warning will be one some day. Changes nothing. Root's call on root's spool is the \
            complete one; anybody else's looks at what they can see.
            """,
            "The exit code is 1 when something fails.",
        ],
        examples: [
            Example("sudo spoolctl doctor", "after installing spoold for the machine"),
            Example("spoolctl doctor --json", "for a monitoring program"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        let diagnoses = Doctor(session).diagnoses()
        let output = session.output
        if session.isJSON {
            output.jsonArray(diagnoses) { writer, diagnosis in
                writer.member("check", diagnosis.check)
                writer.member("state", diagnosis.state.rawValue)
                writer.member("message", diagnosis.message)
                writer.member("remedy", diagnosis.remedy)
            }
        } else if session.isQuiet {
            for diagnosis in diagnoses where diagnosis.state == .fail { output.line(diagnosis.check) }
        } else {
            for diagnosis in diagnoses { diagnosis.write(to: output) }
        }
        return diagnoses.contains { $0.state == .fail } ? ExitCode.failed : ExitCode.done
    }
}

/// A result of `doctor` about one part of an installation.
struct Diagnosis {
    enum State: String { case ok, warn, fail }

    var check: String
    var state: State
    var message: String
    /// The action that mends it; nil when nothing is to be done.
    var remedy: String?

    static func ok(_ check: String, _ message: String) -> Diagnosis { Diagnosis(check: check, state: .ok, message: message) }
    static func warn(_ check: String, _ message: String, _ remedy: String) -> Diagnosis {
        Diagnosis(check: check, state: .warn, message: message, remedy: remedy)
    }
    static func fail(_ check: String, _ message: String, _ remedy: String) -> Diagnosis {
        Diagnosis(check: check, state: .fail, message: message, remedy: remedy)
    }

    /// On a terminal the remedy has a line of its own.
    fileprivate func write(to output: Output) {
        let message = Output.oneLine(message)
        guard output.isTerminal else {
            return output.line([state.rawValue, check, message, remedy.map(Output.oneLine) ?? ""].joined(separator: "\t"))
        }
        let colour: Output.Colour = state == .ok ? .green : state == .warn ? .yellow : .red
        func padded(_ text: String, _ width: Int) -> String { text + String(repeating: " ", count: max(0, width - text.count)) }
        let indent = String(repeating: " ", count: 21)
        let lines = Columns.wrapped(message, to: max(20, output.columns - indent.count))
        for (index, line) in lines.enumerated() {
            output.line((index == 0 ? output.coloured(padded(state.rawValue, 6), colour) + padded(check, 15) : indent) + line)
        }
        guard let remedy else { return }
        for (index, line) in Columns.wrapped(Output.oneLine(remedy), to: max(20, output.columns - indent.count - 3)).enumerated() {
            output.line(indent + (index == 0 ? "-> " : "   ") + line)
        }
    }
}
