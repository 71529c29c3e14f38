import Glibc
import struct TestSupport.SeededGenerator

/// A random calendar expression, and its meaning as plain sets, which do not depend on the parser.
struct CalendarSample {
    var text: String
    /// The same expression with an end for each open step: `5..59/7` for `5/7`.
    var closedText: String
    /// 0 is Monday.
    var weekdays: Set<Int>
    var years: Set<Int>
    var months: Set<Int>
    var days: Set<Int>
    var daysAreFromEnd = false
    var hours: Set<Int>
    var minutes: Set<Int>
    /// Milliseconds within the minute.
    var milliseconds: Set<Int>

    private static let allYears = Set(1970..<2200)
    private static let wholeSeconds = Set(stride(from: 0, to: 60_000, by: 1000))

    init(using generator: inout SeededGenerator) {
        weekdays = Set(0..<7)
        years = Self.allYears
        months = Set(1...12)
        days = Set(1...31)
        (hours, minutes, milliseconds) = ([0], [0], [0])
        var parts: [Chain] = []
        if Self.chance(3, &generator) {
            let chain = Self.weekdays(&generator)
            weekdays = chain.set
            parts.append(chain)
        }
        if Self.chance(2, &generator) {
            var date: [Chain] = []
            if Self.chance(2, &generator) {
                var chain = Chain("*", years)
                if Self.chance(4, &generator) {
                    chain = Self.chain(1990...2100, to: 2199, &generator)
                } else if Self.chance(8, &generator) {
                    let year = Int.random(in: 0...99, using: &generator)
                    chain = Chain("\(year)", [year < 70 ? year + 2000 : year + 1900])
                }
                years = chain.set
                date.append(chain)
            }
            var chain = Chain("*", months)
            if Self.chance(2, &generator) { chain = Self.chain(1...12, to: 12, &generator) }
            months = chain.set
            date.append(chain)
            chain = Chain("*", days)
            if Self.chance(3, &generator) {
                daysAreFromEnd = true
                if !Self.chance(6, &generator) { chain = Self.chain(1...20, to: 20, isDescending: true, &generator) }
            } else if Self.chance(2, &generator) {
                chain = Self.chain(1...31, to: 31, &generator)
            }
            days = chain.set
            parts.append(Self.joined([Self.joined(date, "-"), chain], daysAreFromEnd ? "~" : "-"))
        }
        if parts.isEmpty || Self.chance(2, &generator) {
            var hour = Chain("*", Set(0..<24))
            var minute = Chain("*", Set(0..<60))
            if Self.chance(2, &generator) { hour = Self.chain(0...23, to: 23, &generator) }
            if Self.chance(2, &generator) { minute = Self.chain(0...59, to: 59, &generator) }
            (hours, minutes) = (hour.set, minute.set)
            var time = [hour, minute]
            if Self.chance(2, &generator) {
                let second = Self.seconds(&generator)
                milliseconds = second.set
                time.append(second)
            }
            parts.append(Self.joined(time, ":"))
        }
        let all = Self.joined(parts, " ")
        (text, closedText) = (all.text, all.closed)
    }

    /// `wall` is in milliseconds of the wall clock since 1970.
    func matches(wall: Int) -> Bool {
        isDay(wall / 86_400_000) && hours.contains(wall / 3_600_000 % 24) && minutes.contains(wall / 60_000 % 60)
            && milliseconds.contains(wall % 60_000)
    }

    /// True if the expression matches this day at some time. `day` is in days since 1970.
    func isDay(_ day: Int) -> Bool {
        var seconds = time_t(day * 86_400)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        guard years.contains(Int(parts.tm_year) + 1900), months.contains(Int(parts.tm_mon) + 1),
            weekdays.contains((Int(parts.tm_wday) + 6) % 7)
        else { return false }
        guard daysAreFromEnd else { return days.contains(Int(parts.tm_mday)) }
        var next = parts
        next.tm_mon += 1
        next.tm_mday = 0
        timegm(&next)
        return days.contains(Int(next.tm_mday - parts.tm_mday) + 1)
    }

    // MARK: Parts

    private struct Chain {
        var text: String
        var closed: String
        var set: Set<Int>

        init(_ text: String, closed: String? = nil, _ set: Set<Int>) {
            self.text = text
            self.closed = closed ?? text
            self.set = set
        }
    }

    private static func joined(_ chains: [Chain], _ separator: String) -> Chain {
        Chain(
            chains.map(\.text).joined(separator: separator), closed: chains.map(\.closed).joined(separator: separator),
            chains.reduce(into: Set()) { $0.formUnion($1.set) })
    }

    /// True once in `n` times.
    private static func chance(_ n: Int, _ generator: inout SeededGenerator) -> Bool {
        Int.random(in: 0..<n, using: &generator) == 0
    }

    private static func weekdays(_ generator: inout SeededGenerator) -> Chain {
        func name(_ day: Int) -> String {
            let name = ["Monday", "TUESDAY", "wednesday", "Thursday", "friday", "SatURday", "Sunday"][day]
            return chance(2, &generator) ? name : String(name.prefix(3))
        }
        let items = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
            let first = Int.random(in: 0..<7, using: &generator)
            guard chance(2, &generator) else { return Chain(name(first), [first]) }
            let last = Int.random(in: first..<7, using: &generator)
            return Chain(name(first) + (chance(2, &generator) ? ".." : "-") + name(last), Set(first...last))
        }
        return joined(items + (chance(5, &generator) ? [Chain("", [])] : []), ",")
    }

    /// With `isDescending` an open step goes down to 1. `shortest` is the least length of ranges without a step; systemd requires
    /// it for seconds.
    private static func chain(
        _ values: ClosedRange<Int>, to end: Int, isDescending: Bool = false, shortest: Int = 0,
        _ generator: inout SeededGenerator
    ) -> Chain {
        let items = (0..<Int.random(in: 1...3, using: &generator)).map { _ in
            let first = Int.random(in: values, using: &generator)
            let last = Int.random(in: first...values.upperBound, using: &generator)
            let room = isDescending ? first - 1 : end - first
            switch Int.random(in: 0..<4, using: &generator) {
            case 0 where last - first >= shortest:
                return Chain("\(first)..\(last)", Set(first...last))
            case 1 where room > 0:
                let step = Int.random(in: 1...room, using: &generator)
                let low = isDescending ? (first - 1) % step + 1 : first
                let high = isDescending ? first : end
                return Chain("\(first)/\(step)", closed: "\(low)..\(high)/\(step)", Set(stride(from: low, through: high, by: step)))
            case 2:
                let step = Int.random(in: 1...9, using: &generator)
                return Chain("\(first)..\(last)/\(step)", Set(stride(from: first, through: last, by: step)))
            default:
                return Chain("\(first)", [first])
            }
        }
        return joined(items, ",")
    }

    private static func seconds(_ generator: inout SeededGenerator) -> Chain {
        if chance(4, &generator) { return Chain("*", wholeSeconds) }
        guard chance(3, &generator) else {
            var chain = chain(0...59, to: 59, shortest: 1, &generator)
            chain.set = Set(chain.set.map { $0 * 1000 })
            return chain
        }
        func decimal(_ milliseconds: Int) -> String {
            "\(milliseconds / 1000).\(String(1000 + milliseconds % 1000).dropFirst())"
        }
        let first = Int.random(in: 0..<60_000, using: &generator)
        if chance(2, &generator) { return Chain(decimal(first), [first]) }
        let step = Int.random(in: 1...20_000, using: &generator)
        if first + step < 60_000 {
            let text = "\(decimal(first))/\(decimal(step))"
            let closed = "\(decimal(first))..59.999/\(decimal(step))"
            return Chain(text, closed: closed, Set(stride(from: first, to: 60_000, by: step)))
        }
        let last = Int.random(in: first..<60_000, using: &generator)
        return Chain(
            "\(decimal(first))..\(decimal(last))/\(decimal(step))", Set(stride(from: first, through: last, by: step)))
    }
}
