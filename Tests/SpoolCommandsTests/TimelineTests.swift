import Store
import Testing

@testable import SpoolCommands

/// The pure parts of `spoolctl timeline`.
@Suite struct TimelineTests {
    private let hour: Int64 = 3_600_000

    private func at(_ hours: Double) -> Instant { Instant(milliseconds: Int64(hours * Double(hour))) }

    private func period(_ from: Double, _ to: Double) -> Timeline.Period { Timeline.Period(from: at(from), to: at(to)) }

    @Test("The axis names round times of the zone, and days at midnight")
    func ticks() throws {
        func labels(_ from: Double, _ to: Double, _ count: Int, _ zone: Zone = .utc) -> [String] {
            TimelineAxis.ticks(period(from, to), zone, atMost: count).map(\.label)
        }
        #expect(labels(21, 28, 8) == ["21:00", "22:00", "23:00", "Fri 2 Jan", "01:00", "02:00", "03:00"])
        #expect(labels(0.1, 1, 4) == ["00:15", "00:30", "00:45"])
        #expect(labels(0, 24 * 3, 4) == ["Thu 1 Jan", "Fri 2 Jan", "Sat 3 Jan"])
        #expect(labels(0, 24 * 21, 4) == ["Mon 5 Jan", "Mon 12 Jan", "Mon 19 Jan"])
        // A change of the clock between two ticks: 25 October 2026, 03:00 to 02:00.
        let zone = try ZoneDatabase().zone("Europe/Berlin")
        let midnight = Instant(milliseconds: 1792879200000)
        let night = Timeline.Period(from: midnight, to: midnight.advanced(byMilliseconds: 7 * hour))
        #expect(TimelineAxis.ticks(night, zone, atMost: 4).map(\.label) == ["Sun 25 Oct", "02:00", "04:00"])
        #expect(TimelineAxis.ticks(night, zone, atMost: 4).allSatisfy { $0.at >= night.from && $0.at < night.to })
    }

    @Test("The load is the most runs at once in each part, and the busiest time is the longest of those with the most")
    func load() {
        var load = TimelineLoad()
        load.add("a", from: at(-5), to: at(2), isPast: true)
        load.add("b", from: at(1), to: at(3), isPast: true)
        load.add("c", from: at(3), to: at(3), isPast: true)
        load.add("d", from: at(5), to: at(9), isPast: true)
        load.add("e", from: at(5.5), to: at(9), isPast: true)
        load.add("f", from: at(9), to: at(10), isPast: false)
        #expect(load.most(in: period(0, 10), parts: 10) == [1, 2, 1, 1, 0, 2, 2, 2, 2, 1])
        #expect(load.most(in: period(0, 4), parts: 2) == [2, 1])
        #expect(load.most(in: period(20, 24), parts: 2) == [0, 0])
        let busiest = load.busiest(in: period(0, 10))
        #expect(busiest?.names == ["d", "e"] && busiest?.from == at(5.5) && busiest?.to == at(9))
        #expect(load.busiest(in: period(0, 4))?.names == ["a", "b"])
        #expect(load.busiest(in: period(3, 5)) == nil)
    }
}
