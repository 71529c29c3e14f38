/// Reads one component of a date or a time: `*`, or a list of `a`, `a..b`, `a/n`, `a..b/n`.
struct CalendarComponentParser {
    private let component: CalendarComponent
    private let end: Int
    private var scanner: ByteScanner
    private var remarks: [String] = []

    init(_ component: CalendarComponent, scanner: ByteScanner, range: Range<Int>) {
        self.component = component
        self.end = range.upperBound
        self.scanner = scanner
        self.scanner.position = range.lowerBound
    }

    mutating func parse() throws(RecurrenceError) -> CalendarChain {
        if take("*") {
            guard next == nil else { throw starIsNotAlone() }
            return component.isSecond ? .everySecond : .any
        }
        var items = [try item()]
        while take(",") { items.append(try item()) }
        guard next == nil else { throw unexpected() }
        var chain = CalendarChain(items)
        chain.remarks = remarks
        if items.count == 1 { chain.remarks += component.unevenStep(items[0]) }
        return chain
    }

    private var next: UInt8? { scanner.position < end ? scanner.peek : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        next != nil && scanner.take(character)
    }

    private mutating func item() throws(RecurrenceError) -> CalendarItem {
        let place = scanner.position
        let start = try value()
        guard component.values.contains(start) else { throw outOfRange(from: place, to: scanner.position) }
        var item = CalendarItem(start: start)
        var isRange = false
        var stopPlaces = place..<place
        if next == UInt8(ascii: "."), scanner.position + 1 < end, scanner.peek(ahead: 1) == UInt8(ascii: ".") {
            scanner.position += 2
            isRange = true
            let stopPlace = scanner.position
            item.stop = try value()
            item.step = component.unit
            stopPlaces = stopPlace..<scanner.position
        }
        let stepPlace = scanner.position + 1
        let hasStep = take("/")
        if hasStep { item.step = try step() }
        let written = scanner.text(from: place, to: scanner.position)
        if isRange {
            guard let stop = item.stop, stop >= start else {
                throw error(
                    "\(component.name): range \(written) is reversed", at: place,
                    hint: "write the lower value first, or two ranges")
            }
            guard hasStep || !component.isSecond || stop - start >= component.unit else {
                throw error(
                    "\(component.name): range \(written) is shorter than its step of a second", at: place,
                    hint: "write a single value, or a shorter step such as /0.1")
            }
            let last = stop - (stop - start) % item.step
            // As in systemd, only the last value that the steps reach is checked: 8..24/3 is allowed for hours.
            guard component.values.contains(last) else {
                throw outOfRange(from: stopPlaces.lowerBound, to: stopPlaces.upperBound)
            }
            if hasStep, last == start, stop > start, component.unit == 1 {
                remarks.append(StepRemarks.longStep(written, in: start...stop, of: component.name, leaves: start, instead: nil))
            }
            item = last == start ? CalendarItem(start: start) : CalendarItem(start: start, stop: last, step: item.step)
        } else if hasStep {
            try checkStep(item, at: stepPlace, written)
        }
        return item
    }

    /// A step without an end must reach at least one more value.
    private func checkStep(_ item: CalendarItem, at place: Int, _ written: String) throws(RecurrenceError) {
        let isFromEnd = component.kind == .dayFromEnd
        let room = isFromEnd ? item.start - component.values.lowerBound : component.values.upperBound - item.start
        guard item.step > room else { return }
        let single = written.prefix { $0 != "/" }
        let end = isFromEnd ? component.values.lowerBound : component.values.upperBound / component.unit
        throw error(
            "\(component.name): in \(written) the step leads past \(end)", at: place, hint: "write \(single) for that value alone")
    }

    // MARK: Numbers

    private mutating func step() throws(RecurrenceError) -> Int {
        let start = scanner.position
        let step = try value(isStep: true)
        guard step > 0 else {
            throw error("\(component.name): step \(scanner.text(from: start, to: scanner.position)) is zero", at: start)
        }
        return step
    }

    /// A number in the component's unit. Fractions of a second are rounded to microseconds. Very large numbers are limited to
    /// what 64 bits hold.
    private mutating func value(isStep: Bool = false) throws(RecurrenceError) -> Int {
        guard let first = next, first.isDigit else { throw unexpected(isStep: isStep) }
        var number = 0
        while let byte = next, byte.isDigit {
            number = min(number * 10 + Int(byte - UInt8(ascii: "0")), Self.longest)
            scanner.advance()
        }
        if component.kind == .year, !isStep {
            // 12 means 2012, and 89 means 1989.
            if number < 70 { number += 2000 } else if number < 100 { number += 1900 }
        }
        number *= component.unit
        let isRange = scanner.position + 1 < end && scanner.peek(ahead: 1) == UInt8(ascii: ".")
        if component.isSecond, next == UInt8(ascii: "."), !isRange {
            scanner.advance()
            number += try fraction()
        }
        return number
    }

    private static let longest = 1_000_000_000

    /// Six digits. The seventh rounds.
    private mutating func fraction() throws(RecurrenceError) -> Int {
        guard let first = next, first.isDigit else { throw unexpected() }
        var value = 0
        var digits = 0
        while let byte = next, byte.isDigit {
            let digit = Int(byte - UInt8(ascii: "0"))
            if digits < 6 { value = value * 10 + digit } else if digits == 6, digit >= 5 { value += 1 }
            digits += 1
            scanner.advance()
        }
        for _ in min(digits, 6)..<6 { value *= 10 }
        return value
    }

    // MARK: Errors

    private var allowed: String {
        "\(component.values.lowerBound)-\(component.values.upperBound / component.unit)"
    }

    private func outOfRange(from start: Int, to end: Int) -> RecurrenceError {
        let value = scanner.text(from: start, to: end)
        var hint: String?
        if component.kind == .dayFromEnd { hint = "~1 is the last day of the month; every month has a ~28" }
        return error("\(component.name) \(value) is out of range \(allowed)", at: start, hint: hint)
    }

    private func starIsNotAlone() -> RecurrenceError {
        let rest = scanner.text(from: scanner.position, to: end)
        var hint = "* must be by itself"
        if rest.hasPrefix("/") { hint = "did you mean \(component.values.lowerBound)\(rest)?" }
        return error("\(component.name): nothing may follow *, found \(quoted(rest))", at: scanner.position, hint: hint)
    }

    private func unexpected(isStep: Bool = false) -> RecurrenceError {
        let place = scanner.position
        guard place < end else {
            return error("\(component.name): a \(isStep ? "step" : "value") is missing", at: place)
        }
        // Take the whole character, even if it has several bytes.
        let found = String(decoding: scanner.bytes[place..<end], as: UTF8.self).prefix(1)
        var hint: String?
        switch found {
        case "-": hint = "a range is written a..b; values can't be negative"
        case "." where component.isSecond: hint = "a fraction has digits on both sides"
        case ".": hint = "a range is written a..b; seconds alone have fractions"
        case "*": hint = "* must be by itself"
        case "?": hint = "* means any value here"
        case "L", "l": hint = "the last day of the month is written *-*~1"
        default: if component.kind == .month, found.utf8.first?.isLetter == true { hint = "months are numbers here" }
        }
        return error(
            "\(component.name): expected \(allowed), lists a,b, ranges a..b and steps a/n, found \(quoted(String(found)))",
            at: place, hint: hint)
    }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
