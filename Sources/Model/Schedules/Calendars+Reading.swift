// Reads calendars of the configuration, and the keys of schedules that name them.

extension TableReader {
    /// The table `calendars` of the configuration.
    mutating func calendars(_ key: String) -> [Calendars.Entry] {
        guard let value = value(key) else { return [] }
        guard case .table(let table) = value.kind else {
            fail(value, key, expected: "a table of calendars")
            return []
        }
        var entries: [Calendars.Entry] = []
        for entry in table.entries {
            guard Name.isValid(entry.key) else {
                fail(entry.keyPosition, "calendar \"\(entry.key)\" is not a name")
                continue
            }
            guard case .table(let calendar) = entry.value.kind else {
                fail(entry.value, "\(key).\(entry.key)", expected: "a table with dates, windows or a file")
                continue
            }
            var inner = TableReader(calendar, context)
            if let read = inner.calendar(entry.key, at: entry.keyPosition) { entries.append(read) }
            inner.finish()
            absorb(inner)
        }
        return entries
    }

    private mutating func calendar(_ name: String, at position: Position) -> Calendars.Entry? {
        var entry = Calendars.Entry(name: name)
        entry.dates = texts("dates") { text throws(RecurrenceError) in
            _ = try NamedTimes(name: name, zone: nil, dates: [text], windows: [], events: [])
        }
        entry.windows = texts("windows") { text throws(RecurrenceError) in
            _ = try NamedTimes(name: name, zone: nil, dates: [], windows: [text], events: [])
        }
        entry.file = string("file")
        if let file = entry.file, !file.hasPrefix("/"), let value = table["file"] {
            fail(value.position, "file \"\(file)\" is not an absolute path")
        }
        entry.zoneName = zone("timezone")?.name
        if ["dates", "windows", "file"].allSatisfy({ table[$0] == nil }) {
            fail(position, "calendar \(name) has no times", hint: "add dates, windows or a file")
            return nil
        }
        return entry
    }

    /// A text or a list of texts. A date of TOML counts as its text.
    private mutating func texts(_ key: String, _ check: (String) throws(RecurrenceError) -> Void) -> [String] {
        guard let value = value(key) else { return [] }
        var elements = [value]
        if case .array(let list) = value.kind { elements = list }
        var texts: [String] = []
        for element in elements {
            let text: String
            switch element.kind {
            case .string(let string): text = string
            case .dateTime(let date) where date.kind == .localDate: text = "\(date)"
            default:
                fail(element.position, "\(key) must hold texts, not \(element.kind.article)")
                continue
            }
            do throws(RecurrenceError) {
                try check(text)
                texts.append(text)
            } catch {
                fail(element.position, "\(key): \(error.message)", hint: error.hint)
            }
        }
        return texts
    }
}

extension TableReader {
    /// `except`, `only` and `when_excluded` of a schedule. Nil when it has none of them.
    mutating func timeFilter(for recurrence: Recurrence?, zone: Zone) -> TimeFilter? {
        let except = namedTimes("except")
        let only = namedTimes("only")
        let whenExcluded = choice("when_excluded", as: TimeFilter.WhenExcluded.self)
        guard let first = table.entry("except") ?? table.entry("only") else {
            if let entry = table.entry("when_excluded") { fail(entry.keyPosition, "when_excluded needs except or only, which are missing") }
            return nil
        }
        if let recurrence, recurrence.isReboot || recurrence.isEvent || recurrence.patternExtension != nil {
            fail(first.keyPosition, "\(first.key) has no meaning for a schedule without due times that can be computed")
        }
        if except.isEmpty, only.isEmpty { return nil }
        return TimeFilter(except: except, only: only, whenExcluded: whenExcluded ?? .skip, zone: zone)
    }

    private mutating func namedTimes(_ key: String) -> [NamedTimes] {
        guard let value = value(key) else { return [] }
        var elements = [value]
        if case .array(let list) = value.kind { elements = list }
        var found: [NamedTimes] = []
        for element in elements {
            guard case .string(let name) = element.kind else {
                fail(element.position, "\(key) must hold the names of calendars, not \(element.kind.article)")
                continue
            }
            if !context.isOfAccepted, let refusal = context.calendars.refusal(of: name) {
                fail(element.position, "\(key): \(refusal.message)", hint: refusal.hint)
            } else {
                found.append(context.calendars.times(name) ?? NamedTimes(unknown: name))
            }
        }
        return found
    }
}

extension ReadingContext {
    /// The definition was accepted before. A calendar that has gone since then does not make it unreadable: its last form counts, or, if
    /// nobody knows that, the schedule is never due.
    var isOfAccepted: Bool { filesMax == nil }
}
