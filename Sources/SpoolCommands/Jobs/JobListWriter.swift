import Store

/// Writes jobs as `spoolctl jobs` prints them: as one JSON array, as ids, or as lines. Each job is written at once; only a table on a
/// terminal waits for all jobs, because of its columns' widths.
struct JobListWriter {
    private let session: Session
    /// The columns that the user chose; nil for the usual ones, and in JSON for the whole status.
    private let columns: [JobColumn]?
    private let shown: [JobColumn]
    private var table: TextTable
    /// The usual table on a terminal; nil for any other form.
    private var jobTable: JobTable?
    private var isFirst = true

    init(_ session: Session, _ columns: [JobColumn]?) {
        self.session = session
        self.columns = columns
        let shown = columns ?? JobColumn.usual
        self.shown = shown
        table = TextTable(shown.map(\.header), right: Set(shown.indices.filter { shown[$0].isNumber }))
        if Self.isUsualTable(session, columns) { jobTable = JobTable(session) }
        if session.isJSON { session.output.write("[") }
    }

    /// True when the jobs are shown as the usual table on a terminal.
    static func isUsualTable(_ session: Session, _ columns: [JobColumn]?) -> Bool {
        columns == nil && session.output.isTerminal && !session.isJSON && !session.isQuiet
    }

    /// - Parameter waits: why the job waits, for the usual table on a terminal.
    mutating func write(_ record: JobRecord, waits: String? = nil) {
        let output = session.output
        defer { isFirst = false }
        if jobTable != nil {
            jobTable?.add(record, waits: waits)
            return
        }
        if session.isJSON { return writeJSON(record) }
        if session.isQuiet { return output.line(record.status.id) }
        let status = record.table
        let row = shown.map { $0.cell(record, status, session) }
        if output.isTerminal { return table.add(row) }
        var line = TextTable()
        line.add(row)
        line.write(to: output)
    }

    private func writeJSON(_ record: JobRecord) {
        let output = session.output
        output.write(isFirst ? "\n" : ",\n")
        if let columns {
            var object = Table()
            let status = record.table
            for column in columns { object.set(column.name, column.value(record, status, now: session.now)) }
            output.write(JSON.write(Value(.table(object))))
        } else {
            var json = record.json[...]
            while json.last == UInt8(ascii: "\n") { json.removeLast() }
            output.write(bytes: json)
        }
        // The first job is written at once, so that the reader sees that there are some.
        if isFirst { output.flush() }
    }

    func finish() {
        if session.isJSON {
            session.output.write(isFirst ? "]\n" : "\n]\n")
        } else if let jobTable {
            jobTable.write()
        } else if !session.isQuiet {
            session.writeTimes(table)
        }
    }
}
