import Store

extension SpoolCommand {
    static let explain = SpoolCommand(
        "explain", "SCHEDULE", "say in words when a schedule is due, and warn of surprises",
        details: [
            """
            SCHEDULE is a schedule in any syntax; its form decides which. An option names the syntax when the form is ambiguous. A line \
            of a crontab or a setting such as OnCalendar=Mon 05:00 can be pasted whole: parts that do not belong to the schedule are \
            ignored with a warning.
            """,
            """
            A warning explains what a valid but surprising schedule really does. spoolctl check prints the same warnings for the spool's \
            files.
            """,
        ],
        options: ScheduleOptions.whenOptions + ScheduleQuestion.options + [
            Option("count", "n", value: "N", "the number of due times to show (3)"),
            Option("from", value: "TIME", "show due times after this instant (now)"),
        ],
        examples: [
            Example("spoolctl explain '*/7 2 * * mon-fri'", "its meaning, its next due times, and what */7 really does"),
            Example("spoolctl explain '0 4 * * 7 /usr/local/bin/backup'", "a line of a crontab; the command is ignored"),
            Example("spoolctl explain --timezone Europe/Berlin '0 0 12 ? * 6#3'", "the third Friday of each month, in Quartz's syntax"),
        ]
    ) { session throws(Failure) in try Explain(session).run() }
}

private struct Explain {
    let session: Session

    init(_ session: Session) { self.session = session }

    func run() throws(Failure) -> Int32 {
        let arguments = session.arguments
        let question: ScheduleQuestion
        var leftOut: String?
        if let given = try ScheduleQuestion.given(arguments) {
            guard arguments.operands.isEmpty else {
                throw .usage("\(given.spelling) and \"\(arguments.operands[0])\" both say when")
            }
            question = try ScheduleQuestion(session, given)
        } else {
            guard !arguments.operands.isEmpty else { throw .usage("explain needs a SCHEDULE; see spoolctl explain --help") }
            // The fields of a crontab's line may be several operands.
            let pasted = PastedSchedule(arguments.operands.joined(separator: " "))
            question = try ScheduleQuestion(session, key: pasted.key, text: pasted.text)
            leftOut = pasted.leftOut
        }
        let from = try session.instant(option: "from", as: .boundary) ?? session.now
        var explanation = question.schedule.explanation(at: from)
        if let leftOut { explanation.warnings.insert(leftOut, at: 0) }
        let next = question.occurrences(after: from, count: try DueTimes.count(session, default: 3))
        write(question, explanation, next)
        return ExitCode.done
    }

    private func write(_ question: ScheduleQuestion, _ explanation: Explanation, _ next: [Occurrence]) {
        let output = session.output
        let zone = question.schedule.zone
        if session.isJSON {
            return output.jsonObject { writer in
                writer.member("expression", question.text)
                writer.member("key", question.key)
                writer.member("syntax", explanation.syntax)
                writer.member("normalized", explanation.normalized)
                writer.member("timezone", zone.name)
                writer.member("meaning", explanation.sentence)
                writer.member("next", objects: next) { writer, one in
                    writer.member("due", one.instant)
                    writer.member("local", one.instant.rfc3339(in: zone))
                    writer.member("note", one.words)
                }
                writer.member("warnings", texts: explanation.warnings)
            }
        }
        if session.isQuiet { return output.line(explanation.sentence) }
        var table = TextTable()
        table.add("schedule", question.text)
        table.add("syntax", explanation.syntax)
        table.add("normalized", explanation.normalized)
        table.add("meaning", explanation.sentence)
        for one in next {
            let note = one.words.map { "  \($0)" } ?? ""
            table.add("next", "\(TimeText.local(one.instant, zone))  \(TimeText.distance(one.instant, from: session.now))\(note)")
        }
        for warning in explanation.warnings { table.add([.init("warning", .yellow), .init(warning)]) }
        table.write(to: output)
    }
}
