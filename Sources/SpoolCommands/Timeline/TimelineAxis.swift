import Store

/// The instants that an axis of time names, by a zone's clock.
enum TimelineAxis {
    struct Tick {
        var at: Instant
        /// `13:30`; `Sun 29 Nov` at midnight.
        var label: String
    }

    private static let minute: Int64 = 60_000
    private static let day: Int64 = 86_400_000
    /// Lengths between two ticks.
    private static let steps = [1, 5, 10, 15, 30, 60, 120, 180, 360, 720].map { $0 * minute } + [1, 2, 7, 14, 28].map { $0 * day }

    /// At most `count` ticks in a period, at round times.
    static func ticks(_ period: Timeline.Period, _ zone: Zone, atMost count: Int) -> [Tick] {
        let length = period.to.milliseconds - period.from.milliseconds
        let step = steps.first { length / $0 < Int64(max(1, count)) } ?? max(28 * day, length)
        var ticks: [Tick] = []
        var wall = rounded(up: period.from.milliseconds + offset(period.from, zone), to: step)
        while true {
            // The offset at the guess is the right one, except close to a change of the clock.
            let guess = Instant(milliseconds: wall - offset(period.from, zone))
            let at = Instant(milliseconds: wall - offset(guess, zone))
            guard at < period.to else { return ticks }
            let text = TimeText.dated(at, zone, now: at)
            let isMidnight = (wall % day + day) % day == 0
            if at >= period.from {
                ticks.append(Tick(at: at, label: isMidnight ? String(text.dropLast(6)) : String(text.suffix(5))))
            }
            wall += step
        }
    }

    private static func offset(_ instant: Instant, _ zone: Zone) -> Int64 { Int64(zone.offsetSeconds(at: instant)) * 1000 }

    private static func rounded(up wall: Int64, to step: Int64) -> Int64 {
        // Weeks begin on Monday; 1970-01-05 was the first.
        let shift = step % (7 * day) == 0 ? 4 * day : 0
        let rest = ((wall - shift) % step + step) % step
        return rest == 0 ? wall : wall - rest + step
    }
}
