import Store

/// A call reads and writes instants by the clock of its caller.
extension Session {
    /// The caller's zone: `TZ`, then /etc/localtime, then UTC. A setting that cannot be used is reported once.
    var callerZone: Zone {
        if let zone = callerZoneFound { return zone }
        let zone: Zone
        do throws(RecurrenceError) { zone = try zones.zone("local") } catch {
            complain("\(error); your times are read and shown in UTC")
            zone = .utc
        }
        callerZoneFound = zone
        return zone
    }

    // MARK: Reading

    /// The zone of instants that the caller types without one: that of `--timezone`, else the caller's own.
    func zoneForArguments() throws(Failure) -> Zone {
        guard let name = arguments.value("timezone") else { return callerZone }
        do throws(RecurrenceError) { return try zones.zone(name) } catch { throw .invalid("--timezone: \(error)") }
    }

    /// An instant given by an option; nil when the option is not given.
    func instant(option: String, as sense: InstantSense) throws(Failure) -> Instant? {
        guard let text = arguments.value(option) else { return nil }
        return try instant(text, option: option, as: sense)
    }

    /// An instant that the caller typed, as the value of an option or as an operand.
    func instant(_ text: String, option: String? = nil, as sense: InstantSense) throws(Failure) -> Instant {
        let zone = try zoneForArguments()
        let instant: Instant
        do throws(RecurrenceError) { instant = try Instant.parse(text, zone: zone, now: now, as: sense) } catch {
            throw .invalid(option.map { "\(arguments.spelling(of: $0)): \(error)" } ?? "\(error)")
        }
        if option == "since", instant > now {
            complain("--since \"\(text)\" means \(spoken(instant)), and nothing is from then yet; 2h and yesterday mean the past")
        }
        return instant
    }

    /// An instant that the caller typed, as it is written into a file: with its offset, so that it means the same everywhere.
    func written(_ instant: Instant) throws(Failure) -> String {
        let zone = try zoneForArguments()
        return zone.offsetSeconds(at: instant) == 0 ? instant.rfc3339 : TimeText.local(instant, zone)
    }

    // MARK: Writing

    /// An instant in a table: by the caller's clock on a terminal, RFC 3339 in UTC in a pipe.
    func time(_ instant: Instant?) -> String {
        guard let instant else { return "-" }
        return output.isTerminal ? TimeText.wall(instant, callerZone) : instant.rfc3339
    }

    /// The same for a narrow column: `13:30`, `Mon 02:30`, `24 Dec 18:00` on a terminal.
    func briefTime(_ instant: Instant?) -> String {
        guard let instant, output.isTerminal else { return time(instant) }
        return TimeText.brief(instant, callerZone, now: now)
    }

    /// Names the zone of the times in a table on a terminal, for ``TextTable/write(to:note:)``. Nil in a pipe, where times have an offset.
    var timesNote: String? { output.isTerminal ? "times in \(callerZone.name)" : nil }

    /// Writes a table that has times.
    func writeTimes(_ table: TextTable) { table.write(to: output, note: timesNote) }

    /// `Sun 29 Nov 18:00 CET, in 1d4h`, by the caller's clock, for remarks.
    func spoken(_ instant: Instant) -> String {
        "\(TimeText.spoken(instant, callerZone, now: now)), \(TimeText.distance(instant, from: now))"
    }
}
