import Store
import TextSearch

/// When a task is due, in a few words for a column: `daily 02:30`, `02:30 Mon-Fri UTC`, and `+1` for one more schedule.
enum ScheduleWords {
    /// - Parameter callerZone: the zone of the reader; another one is named.
    static func text(_ schedules: [ScheduleDefinition], callerZone: Zone, now: Instant) -> String {
        guard let first = schedules.first(where: \.enabled) ?? schedules.first else { return "-" }
        let more = schedules.count > 1 ? " +\(schedules.count - 1)" : ""
        return (first.enabled ? text(first, callerZone, now) : "disabled") + more
    }

    private static func text(_ schedule: ScheduleDefinition, _ callerZone: Zone, _ now: Instant) -> String {
        if let onPath = schedule.onPath { return onPath.glob.text }
        if let once = schedule.once { return "once, \(TimeText.brief(once, callerZone, now: now))" }
        // `cron "30 2 * * *"` as it is written.
        let written = schedule.expression.split(separator: "\"", omittingEmptySubsequences: false)
        let expression = written.count > 1 ? String(written[1]) : schedule.expression
        let sentence = schedule.recurrence.explanation(at: Instant(milliseconds: 0), of: expression).sentence
        let inZone = [", in \(schedule.zone.name)", ", in the time of \(schedule.zone.name)"].first(where: sentence.hasSuffix)
        let zone = inZone == nil || schedule.zone.name == callerZone.name ? "" : " \(schedule.zone.name)"
        if let short = shortened(String(sentence.dropLast(inZone?.count ?? 0))) { return short + zone }
        // A calendar expression can name its zone.
        return expression.hasSuffix(zone) ? expression : expression + zone
    }

    private static let names = [
        "Monday": "Mon", "Tuesday": "Tue", "Wednesday": "Wed", "Thursday": "Thu", "Friday": "Fri", "Saturday": "Sat", "Sunday": "Sun",
    ]

    /// The sentence of `spoolctl explain` in fewer words; nil when it is still too long for a column.
    static func shortened(_ sentence: String) -> String? {
        var text = sentence
        for (name, short) in names { text = text.replacing(name, with: short) }
        text = text.replacing(" to ", with: "-").replacing(", on ", with: " ")
        text = text.replacing(" between ", with: " ").replacing(" and ", with: ", ")
        text = text.replacing(", counted from the last due time", with: "").replacing(", counted from the end of the last run", with: "")
        let words = text.split(separator: " ").map(String.init)
        if text.hasPrefix("Every hour at minute "), words.count == 5 { return "hourly at :\(words[4].count < 2 ? "0" : "")\(words[4])" }
        if text.hasPrefix("At "), text.hasSuffix(" every day") { text = "daily \(text.dropFirst(3).dropLast(10))" }
        if text.hasPrefix("At ") { text = String(text.dropFirst(3)) }
        text = text.prefix(1).lowercased() + text.dropFirst()
        return text.count <= widthMax ? text : nil
    }

    private static let widthMax = 26
}
