import Store

extension Instant {
    /// An instant in the past: `02:30` is the latest 02:30 that has passed, `2h` and `2h ago` are two hours ago. Any other text is read
    /// as an instant is elsewhere.
    static func past(_ text: String, zone: Zone, now: Instant) throws(RecurrenceError) -> Instant {
        var words = text.trimmed
        if words.hasSuffix(" ago") { words = String(words.dropLast(4)).trimmed }
        if let span = try? Span.parse(words) { return now - span }  // not a duration: an instant, below
        guard isTimeOfDay(words) else { return try parse(words, zone: zone, now: now) }
        let today = try parse("today \(words)", zone: zone, now: now)
        return today <= now ? today : try parse("yesterday \(words)", zone: zone, now: now)
    }

    private static func isTimeOfDay(_ text: String) -> Bool {
        text.contains(":") && text.allSatisfy { $0.isNumber || $0 == ":" || $0 == "." }
    }
}

extension Session {
    func pastInstant(_ text: String, zone: Zone) throws(Failure) -> Instant {
        do throws(RecurrenceError) { return try Instant.past(text, zone: zone, now: now) } catch { throw .invalid("\(error)") }
    }

    /// The value of an option, read as an instant in the past: `--from 7d` is a week ago.
    func pastInstant(option: String) throws(Failure) -> Instant? {
        guard let text = arguments.value(option) else { return nil }
        do throws(Failure) { return try pastInstant(text, zone: try configuration().zone) } catch {
            throw Failure(error.code, error.lines.map { "--\(option): \($0)" })
        }
    }
}
