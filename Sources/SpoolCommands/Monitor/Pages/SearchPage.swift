import Store
import TextSearch
import Web

/// Tasks and jobs that contain a text.
struct SearchPage {
    private let context: PageContext

    private static let tasksMax = 50

    init(_ context: PageContext) { self.context = context }

    func page() throws(Failure) -> MonitorPage {
        guard let text = context.address.value("q") else {
            return MonitorPage(title: "Search", main: "<p class=\"lead\">Type a name, an id, or a part of an error above.</p>\n")
        }
        let small = text.lowercased()
        var names: [String] = []
        try context.each { part throws(Failure) in
            names += try TaskCatalog(part, withSchedules: false).names().map(part.qualified).filter { $0.lowercased().contains(small) }
        }
        let shown = Array(names.prefix(Self.tasksMax))
        let count: Markup = names.count > shown.count ? "the first \(shown.count) of \(names.count)" : "\(names.count)"
        let tasks = try TaskRows(context, names: shown).table(caption: "Tasks that match", ifEmpty: "No task has this in its name.")
        let jobs = try JobSearch(context, [("text", text)], before: context.address.value("before"))
        var main = try byID(text)
        main += context.section("found-tasks", "Tasks with “\(text)”", more: count, isWide: true, tasks)
        main += context.section(
            "found-jobs", "Jobs with “\(text)”", more: jobs.count, isWide: true,
            jobs.table(ifEmpty: "No job has this in its name, title or error.") + jobs.links)
        return MonitorPage(title: "Search", main: main)
    }

    /// The job whose id begins or ends with the text.
    private func byID(_ text: String) throws(Failure) -> Markup {
        guard text.utf8.count >= 4, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }) else { return "" }
        var found: [JobRecord] = []
        try context.each { part throws(Failure) in
            var records = try part.records()
            let matches = try part.reading { () throws(JournalError) in try records.matches(text, limit: 5) }
            for place in matches { if let record = try part.record(at: place, &records) { found.append(part.qualified(record)) } }
        }
        guard !found.isEmpty else { return "" }
        let lines = found.map { "<div class=\"item\"><p>\(context.mark($0)) \(context.job($0.status))</p></div>\n" as Markup }
        return context.section(
            "found-ids", "Jobs with this id", more: "\(found.count)", isWide: true, "<div class=\"card\">\(lines)</div>\n")
    }
}
