import Metrics
import Store

extension SpoolCommand {
    static let metrics = SpoolCommand(
        "metrics", "[--format FORMAT]", "print the spool's numbers for Prometheus",
        details: [
            """
            Prints what the daemon counts and what it knows of each task, in the text format of Prometheus; spoold-metrics(7) explains \
            each metric. Needs no daemon: spoold_up says if one serves the spool. A user sees that user's part alone; root sees all parts \
            of a machine's spool, each with a label for the user.
            """,
        ],
        options: [Option("format", value: "FORMAT", "prometheus (the default) or openmetrics")],
        examples: [
            Example("spoolctl metrics", "what a Prometheus would read"),
            Example("spoolctl metrics | promtool check metrics", "checked by Prometheus's own tool"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        let text = session.arguments.value("format") ?? MetricsFormat.prometheus.rawValue
        guard let format = MetricsFormat(rawValue: text) else {
            let formats = MetricsFormat.allCases.map(\.rawValue).joined(separator: " or ")
            throw .invalid("\(session.arguments.spelling(of: "format")) is \(formats), not \"\(text)\"")
        }
        let report = try MetricsReport(session)
        session.output.write(bytes: report.metrics.text(format))
        for line in report.troubles { session.complain(line) }
        return report.troubles.isEmpty ? ExitCode.done : ExitCode.failed
    }
}
