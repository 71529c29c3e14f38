import Glibc
import Linux
import Store

extension SpoolCommand {
    static let timeline = SpoolCommand(
        "timeline", "[NAME…] [--from TIME] [--to TIME]", "draw past and coming runs, and which of them overlapped",
        details: [
            """
            Each task, and each name of a job without a task, has a line. Runs are drawn from their start to their end, so that those at \
            the same time stand below each other. After now, due times are drawn, each as long as the task's runs usually take. The line \
            below the tasks counts the runs at the same time, also those of tasks that are not named.
            """,
            """
            The past is read from the journal. A pipe gets a line for each run and each due time: begin, end, what became of it, name and \
            id.
            """,
        ],
        options: [
            Option("from", value: "TIME", "the beginning: an instant, or a time ago (default: 18h)"),
            Option("to", value: "TIME", "the end (default: a third of the time shown before now)"),
            Option("all", "a", "also jobs that started because another job ended, such as mails"),
            Option("svg", value: "FILE", "write the picture to a file, for a browser; - is standard output"),
        ],
        examples: [
            Example("spoolctl timeline", "18 hours back, and 6 ahead"),
            Example("spoolctl timeline backup report --from 3d", "two tasks, since three days ago"),
            Example("spoolctl timeline --from 'yesterday 22:00' --to 06:00", "one night"),
        ]
    ) { session throws(Failure) in
        let period = try period(session)
        let names = session.arguments.operands
        var timeline = Timeline(period, now: session.now, slots: try session.configuration().slots)
        let showsAll = session.arguments.flag("all")
        let code = try EverybodysSpool.each(session) { part throws(Failure) in
            try timeline.take(part, names: names.isEmpty ? nil : Set(names), withFollowUps: showsAll)
        }
        for name in names where !timeline.hasLane(session.qualified(name)) {
            throw .notFound("no task is named \"\(name)\", and no job of that name ran in the time shown")
        }
        timeline.sort()
        if let file = session.arguments.value("svg") {
            try write(TimelineSVG(timeline, zone: session.callerZone).text, to: file, session)
            return code
        }
        if !session.isQuiet { try session.remarkIfNotServed() }
        TimelineReport(session, timeline).write()
        return code
    }

    private static func period(_ session: Session) throws(Failure) -> Timeline.Period {
        let now = session.now
        let givenTo = try session.instant(option: "to", as: .boundary)
        let past: Int64 = 18 * 3_600_000
        let from = try session.instant(option: "from", as: .past) ?? min(now, givenTo ?? now).advanced(byMilliseconds: -past)
        let third = (now.milliseconds - from.milliseconds) / 3
        let to = givenTo ?? (third > 0 ? now.advanced(byMilliseconds: third) : from.advanced(byMilliseconds: past))
        guard from < to else {
            throw .usage("--from \(session.spoken(from)) is not before --to \(session.spoken(to))")
        }
        return Timeline.Period(from: from, to: to)
    }

    private static func write(_ text: String, to file: String, _ session: Session) throws(Failure) {
        if file == "-" { return session.output.write(text) }
        try attempt { () throws(SystemError) in
            let target = try FileDescriptor.open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, mode: 0o666)
            try target.write(Array(text.utf8))
        }
    }
}
