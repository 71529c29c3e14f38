import TextSearch

/// The text of a schedule as typed, or as copied from a crontab, a timer unit or a task's file. Finds its kind, and the parts
/// that do not belong to the schedule.
public struct PastedSchedule: Sendable, Equatable {
    /// The key for the schedule: `cron`.
    public var key: String
    /// The schedule alone.
    public var text: String
    /// The part that was left out, and its meaning. Nil when nothing was left out.
    public var leftOut: String?

    /// Finds the kind by the form alone. A valid text is kept unchanged.
    public init(_ pasted: String) {
        let words = pasted.split(whereSeparator: \.isWhitespace).map(String.init)
        let text = words.joined(separator: " ")
        if let assigned = Self.assignment(text) {
            self = assigned
        } else if let line = Self.crontabLine(words) {
            self = line
        } else {
            key = Self.likelyKey(of: text, words)
            self.text = pasted
        }
    }

    private init(key: String, text: String, leftOut: String) {
        self.key = key
        self.text = text
        self.leftOut = leftOut
    }

    // MARK: Kinds

    private static func likelyKey(of text: String, _ words: [String]) -> String {
        let first = words.first.map { $0.lowercased() } ?? ""
        if first.hasPrefix("/") { return "on_path" }
        if first.contains("freq=") { return "rrule" }
        // `50.seconds`, `**.01.05.00.00`, `saturday|sunday.22.00.00`: parts between single dots, with a word or a star first or
        // last.
        let parts = first.split(separator: ".", omittingEmptySubsequences: false)
        let isDotted = words.count == 1 && parts.count > 1 && !parts.contains("") && !first.contains(":")
        let endsInWord = parts.last?.allSatisfy(\.isLetter) ?? false
        if first.hasPrefix("ext:") || isDotted && (parts.count > 2 || endsInWord) { return "pattern" }
        // A time alone means every day, as in systemd. Of words, `Mon 09:00` is a calendar expression and `midnight` a cron word.
        let mayRepeat = first.first?.isLetter == true && (Recurrence.isCalendar(text) || Recurrence.isCron(text))
        if !mayRepeat, isInstant(text), !text.allSatisfy({ $0.isNumber || $0 == ":" }) { return "at" }
        if first.hasPrefix("@") || words.count >= 5 || first.hasPrefix("cron_tz=") || first.hasPrefix("tz=") { return "cron" }
        if isSpan(text) { return "every" }
        if Recurrence.isCalendar(text) { return "calendar" }
        if Recurrence.isCron(text) { return "cron" }
        // The text is none of these. The errors of the most likely kind explain it best.
        let hasSign = [":", "-", "..", "~"].contains { text.contains($0) }
        let beginsWithLetter = first.first?.isLetter ?? false
        return text.contains(":") || words.count < 4 && hasSign || words.count == 1 || beginsWithLetter ? "calendar" : "cron"
    }

    private static func isInstant(_ text: String) -> Bool {
        do throws(RecurrenceError) { _ = try Instant.parse(text, zone: .utc, now: Instant(milliseconds: 0)) } catch { return false }
        return true
    }

    private static func isSpan(_ text: String) -> Bool {
        do throws(RecurrenceError) { _ = try Span.parse(text) } catch { return false }
        return true
    }

    // MARK: Surrounding text

    /// Settings of systemd.timer(5) in lower case, and the keys with the same meaning.
    private static let unitSettings = ["oncalendar": "calendar", "onunitactivesec": "every", "onunitinactivesec": "every"]

    /// `OnCalendar=Mon 05:00`, `cron = "0 5 * * *"`.
    private static func assignment(_ text: String) -> PastedSchedule? {
        guard let equals = text.firstIndex(of: "=") else { return nil }
        let name = text[..<equals].filter { $0 != " " }.lowercased()
        var value = text[text.index(after: equals)...].drop { $0 == " " }
        if let quote = value.first, quote == "\"" || quote == "'", value.count > 1, value.last == quote {
            value = value.dropFirst().dropLast()
        }
        let key = unitSettings[name] ?? name
        guard ScheduleDefinition.whenKeys.contains(key), !value.isEmpty else { return nil }
        return PastedSchedule(key: key, text: String(value), leftOut: "\(text[...equals]) is left out: it names the setting")
    }

    /// The time fields of a crontab line: `*/5 * * * * /usr/bin/php x`, `0 4 * * * root backup`, `@daily backup`, `-*/15 * * * *
    /// quiet`.
    private static func crontabLine(_ words: [String]) -> PastedSchedule? {
        var words = words
        guard var first = words.first, !Recurrence.isCron(words.joined(separator: " ")) else { return nil }
        var leftOut: [String] = []
        // In SUSE's cron, `-` means that the start is not logged.
        if first.hasPrefix("-"), words.count > 5 {
            first.removeFirst()
            words[0] = first
            leftOut.append("the - at the beginning keeps cron from logging the start")
        }
        let zone = first.lowercased().hasPrefix("cron_tz=") || first.lowercased().hasPrefix("tz=") ? 1 : 0
        guard words.count > zone else { return nil }
        let count = zone + (words[zone].hasPrefix("@") && words[zone].lowercased() != "@every" ? 1 : 5)
        let fields = words.prefix(count).joined(separator: " ")
        if words.count > count {
            let rest = words.dropFirst(count)
            guard isCommand(words[count]) else { return nil }
            leftOut.append(
                "\"\(rest.joined(separator: " "))\" is left out: in a crontab that is the command"
                    + (rest.count > 1 && Name.isValid(words[count]) ? ", in /etc/crontab the user and the command" : ""))
        }
        guard !leftOut.isEmpty else { return nil }
        return PastedSchedule(key: "cron", text: fields, leftOut: leftOut.joined(separator: "; "))
    }

    /// True when the word cannot be a sixth or seventh time field: numbers and signs, `H`, `L`, `W`, names of months and days.
    private static func isCommand(_ word: String) -> Bool {
        var letters = ""
        for character in word.lowercased() + " " {
            if character.isLetter {
                letters.append(character)
                continue
            }
            guard letters.isEmpty || ["h", "l", "w", "lw"].contains(letters) || Recurrence.isCron("0 0 * * \(letters)")
                || Recurrence.isCron("0 0 1 \(letters) *")
            else { return true }
            letters = ""
            if !(character.isNumber || "*,-/?#~() ".contains(character)) { return true }
        }
        return false
    }
}
