import Foundation
import Testing

@testable import Recurrence

/// Asks at(1) for the same times. Each question makes a job, which is removed at once.
@Suite(.serialized) struct AtPeerTests {
    /// Texts that at(1) and this project read alike, on any day and at any hour.
    static let texts = [
        "noon", "midnight", "teatime", "6pm", "6 pm", "6am", "12am", "12pm", "1800", "0030", "18:00", "6:30pm", "18.30", "10am Jul 31",
        "10:00 Jan 1", "Jul 31 2035", "Jul 31, 2035", "31 Jul 2035", "now + 1 hour", "now + 90 minutes", "now + 2 weeks", "tomorrow",
        "18:00 tomorrow", "midnight tomorrow", "NOON TOMORROW", "monday", "tue", "09:00 wednesday", "23:59 sunday", "noon friday",
        "next week",
        "next day", "next hour", "next minute", "next monday", "10:00 next sat", "18:00 next week", "noon next year", "4pm + 3 days",
        "noon tomorrow + 2 hours", "1800 122435", "1800 12/24/35", "18:00 24.12.35", "18:00 24.12.2035", "18:00 2035-12-24", "122435",
        "18:00 12242035", "18:00 122435 + 1 day", "18:00 UTC", "18:00 UTC tomorrow", "tomorrow - 1 hour", "today + 1 week",
        "teatime monday",
        "24:00", "2400", "12:30am", "12:30pm", "00:30pm", "10:00 1/2/35", "10:00 5.1.35", "10:00 2035-1-5", "december 24 2035",
        "now + 1 min",
    ]

    @Test(.tzdata, .enabled("at(1) is not installed") { Peer.output(of: ["at", "-V"]) != nil }) func meansTheSame() throws {
        let zone = try database.zone("Europe/Berlin")
        let script = #"""
            answer=$(echo true | at $1 2>&1)
            id=$(echo "$answer" | sed -n 's/^job \([0-9]*\) at .*/\1/p')
            test -z "$id" || atrm "$id"
            echo "$answer" | sed -n 's/^job [0-9]* at //p' | grep . || echo "$answer" | tail -n 1
            """#
        for text in Self.texts {
            var (now, answer): (Instant, String)
            // An answer that counts from now is compared within one minute. at(1) waits no longer than ten seconds for another one.
            repeat {
                now = Instant(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
                answer = try #require(
                    Peer.output(of: ["env", "TZ=Europe/Berlin", "LC_ALL=C", "sh", "-c", script, "sh", text]), "at(1) makes no jobs here")
            } while Int64(Date().timeIntervalSince1970) / 60 != now.milliseconds / 60_000 || answer == "File locking timed out\n"
            let hour = { (zone: Zone) in String(minuteText(now, in: zone).dropFirst(11).prefix(2)) }
            // at(1) chooses the day by the local clock. After 18:00 here and before 18:00 UTC, it takes tomorrow's 18:00 UTC, and not
            // today's, which is still to come.
            if text == "18:00 UTC", hour(zone) >= "18", hour(.utc) < "18" { continue }
            let instant = try Instant.parse(text, zone: zone, now: now, as: .action)
            // The answers look like `Sun Nov 29 18:00:00 2026`, always in whole minutes.
            let words = answer.split(whereSeparator: \.isWhitespace).map(String.init)
            try #require(words.count == 5, "\(text): \(answer)")
            let month = try #require(Words.months.firstIndex { $0.hasPrefix(words[1]) })
            let day = words[2].count == 1 ? "0\(words[2])" : words[2]
            let theirs = "\(words[4])-\(Words.twoDigits(month + 1))-\(day)T\(words[3].prefix(5))"
            #expect(minuteText(instant, in: zone).hasPrefix(theirs), "\(text): at(1) says \(answer)")
        }
    }
}
