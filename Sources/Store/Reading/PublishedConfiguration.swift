/// The configuration in force of the daemon, from the key `configuration` in `state/status.json`. Programs that show due times,
/// limits or slots use it, whatever the configuration file contains by now, and whichever file it was.
public struct PublishedConfiguration: Sendable {
    /// The path of the configuration file.
    public var file: String?
    /// The time at which it was read and accepted. Nil when the defaults are in force.
    public var readAt: Instant?
    /// The reason why a later text of the file is not in force.
    public var problems: [String]
    public var zoneName: String
    private var values: Configuration
    /// The calendars as published, which can be read once the time zones are known.
    private var calendarTable: Table?

    public init(_ configuration: Configuration, file: String?, readAt: Instant?, problems: [String]) {
        self.file = file
        self.readAt = readAt
        self.problems = problems
        zoneName = configuration.zone.name
        values = configuration
    }

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("file", file)
        writer.member("read_at", readAt)
        writer.member("timezone", zoneName)
        writer.member("slots", values.slots)
        writer.key("queues")
        writer.beginObject()
        for (name, slots) in values.queueSlots.sorted(by: { $0.key < $1.key }) { writer.member(name, slots) }
        writer.endObject()
        if !values.queueExecutors.isEmpty {
            writer.key("queue_executors")
            writer.beginObject()
            for (name, executor) in values.queueExecutors.sorted(by: { $0.key < $1.key }) { writer.member(name, executor) }
            writer.endObject()
        }
        if !values.executors.isEmpty {
            writer.key("executors")
            writer.beginObject()
            for (name, settings) in values.executors.sorted(by: { $0.key < $1.key }) { writer.member(name, settings.slots) }
            writer.endObject()
        }
        writer.member("default_timeout_ms", values.defaultTimeoutMilliseconds.map { Int($0) })
        writer.member("keep_ms", Int(values.keepMilliseconds))
        writer.member("metrics_tasks", values.metricsTasks)
        for (key, value) in [("mail", values.taskDefaults.mail), ("on_failure", values.taskDefaults.onFailure)] {
            guard let value else { continue }
            writer.key(key)
            writer.value(value)
        }
        if !values.calendarEntries.isEmpty {
            writer.key("calendars")
            writer.beginObject()
            for entry in values.calendarEntries {
                writer.key(entry.name)
                writer.beginObject()
                for (key, texts) in [("dates", entry.dates), ("windows", entry.windows)] where !texts.isEmpty {
                    writer.key(key)
                    writer.beginArray()
                    for text in texts { writer.string(text) }
                    writer.endArray()
                }
                if let file = entry.file { writer.member("file", file) }
                if let zone = entry.zoneName { writer.member("timezone", zone) }
                writer.endObject()
            }
            writer.endObject()
        }
        writer.key("problems")
        writer.beginArray()
        for line in problems { writer.string(line) }
        writer.endArray()
        writer.endObject()
    }

    /// Nil when the daemon has published none: it is an older one, or none has ever run.
    public init?(_ status: Table) {
        guard case .table(let table)? = status["configuration"]?.kind, let zone = table.text("timezone") else { return nil }
        file = table.text("file")
        readAt = table.instant("read_at")
        zoneName = zone
        problems = table.texts("problems")
        values = Configuration()
        if let slots = table.whole("slots") { values.slots = Int(clamping: slots) }
        if case .table(let queues)? = table["queues"]?.kind {
            for entry in queues.entries { if let slots = queues.whole(entry.key) { values.queueSlots[entry.key] = Int(clamping: slots) } }
        }
        if case .table(let queues)? = table["queue_executors"]?.kind {
            for entry in queues.entries { if let name = queues.text(entry.key) { values.queueExecutors[entry.key] = name } }
        }
        if case .table(let executors)? = table["executors"]?.kind {
            for entry in executors.entries {
                guard let slots = executors.whole(entry.key) else { continue }
                var settings = ExecutorSettings()
                settings.slots = Int(clamping: slots)
                values.executors[entry.key] = settings
            }
        }
        calendarTable = table["calendars"].map { Table([Table.Entry(key: "calendars", keyPosition: $0.position, value: $0)]) }
        values.defaultTimeoutMilliseconds = table.whole("default_timeout_ms")
        if let keep = table.whole("keep_ms") { values.keepMilliseconds = keep }
        if let count = table.whole("metrics_tasks") {
            values.metricsTasks = min(max(0, Int(clamping: count)), Configuration.metricsTasksMax)
        }
        values.taskDefaults.mail = table["mail"]
        values.taskDefaults.onFailure = table["on_failure"]
    }

    /// The published part of the configuration in force.
    public func configuration(_ zones: ZoneDatabase) throws(RecurrenceError) -> Configuration {
        var configuration = values
        configuration.zone = try zones.zone(zoneName)
        if let calendarTable {
            configuration.calendarEntries = Calendars.Entry.all(
                in: calendarTable, ReadingContext(now: Instant(milliseconds: 0), zones: zones))
        }
        return configuration
    }
}
