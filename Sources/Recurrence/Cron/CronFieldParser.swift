/// The values of a field.
struct CronValues {
    var set = Bits256()
    var special = SpecialDays.none
    var beginsWithStar = false
    /// The field is `?`: the other day field decides.
    var isOpen = false
    /// Remarks about surprising parts of the text that the set does not show.
    var remarks: [String] = []
}

/// Reads one field: a list of `*`, `*/n`, `a`, `a/n`, `a-b`, `a-b/n`; of `H`, `H/n`, `H(a-b)`, `H(a-b)/n`; of `L`, `L-n`, `nW`,
/// `LW`, `L-nW` for a day of month; of `nL`, `n#k` for a day of week; in the extended dialects of `/n` and ranges over the end too, or
/// `?`; in the Unix ones of `?` and `?/n`, `~`, `a~`, `~b`, `a~b`, each also with `/n`.
struct CronFieldParser {
    private let field: CronField
    private let end: Int
    private let word: Range<Int>
    private let stableSeed: UInt64
    private var scanner: ByteScanner
    /// The start of the item that is being read.
    private var itemStart: Int
    private var values = CronValues()

    init(_ field: CronField, scanner: ByteScanner, word: Range<Int>, stableSeed: UInt64) {
        self.field = field
        self.word = word
        self.stableSeed = stableSeed
        self.end = word.upperBound
        self.scanner = scanner
        self.scanner.position = word.lowerBound
        itemStart = word.lowerBound
    }

    mutating func parse() throws(RecurrenceError) -> CronValues {
        values.beginsWithStar = next == UInt8(ascii: "*") || next == UInt8(ascii: "/") || next == UInt8(ascii: "?")
        if field.isExtended, isDay, next == UInt8(ascii: "?") {
            scanner.advance()
            guard next == nil else { throw unexpected(expected: "? alone") }
            values.isOpen = true
            values.beginsWithStar = true
            insert(field.values, by: 1)
            return values
        }
        while true {
            try item()
            guard let byte = next else { return values }
            guard byte == UInt8(ascii: ",") else { throw unexpected() }
            scanner.advance()
        }
    }

    private var isDay: Bool { field.kind == .dayOfMonth || field.kind == .dayOfWeek }

    private var next: UInt8? { scanner.position < end ? scanner.peek : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        scanner.position < end && scanner.take(character)
    }

    /// Reads the `~` of a random range, which Quartz and AWS do not have.
    private mutating func take(_ character: Unicode.Scalar, in field: CronField) -> Bool {
        !field.isExtended && take(character)
    }

    /// Reads a letter in either case, unless it begins a longer word.
    private mutating func takeLetter(_ letter: UInt8) -> Bool {
        guard next?.lowercased == letter else { return false }
        if let after = scanner.peek(ahead: 1), scanner.position + 1 < end, after.isLetter, after.lowercased != UInt8(ascii: "w") {
            return false
        }
        scanner.advance()
        return true
    }

    private mutating func item() throws(RecurrenceError) {
        guard let byte = next else { throw error("\(field.name): a value is missing", at: scanner.position) }
        itemStart = scanner.position
        // robfig/cron, which Kubernetes uses, reads `?` as `*` in every field.
        if take("*") || !field.isExtended && take("?") || byte == UInt8(ascii: "/") && field.isExtended {
            return try stride(field.values)
        }
        if take("~", in: field) { return try random(from: field.values.lowerBound) }
        if takeLetter(UInt8(ascii: "h")) { return try hashed() }
        if field.kind == .dayOfMonth, takeLetter(UInt8(ascii: "l")) { return try daysBeforeLast() }
        if field.kind == .dayOfWeek, byte.lowercased == UInt8(ascii: "l") { return try lastWeekday() }
        let low = try value()
        if field.kind == .dayOfMonth, takeLetter(UInt8(ascii: "w")) {
            values.special.nearest |= 1 << UInt32(low)
            return
        }
        if field.kind == .dayOfWeek {
            if takeLetter(UInt8(ascii: "l")) { return insertWeekday(low, number: 0) }
            if take("#") { return insertWeekday(low, number: try ordinal()) }
        }
        if take("~", in: field) { return try random(from: low) }
        guard take("-") else { return try single(low) }
        // `29-L` is a range to the end of the month, as in croniter.
        if field.kind == .dayOfMonth, takeLetter(UInt8(ascii: "l")) { return try stride(low...field.values.upperBound) }
        let high = try value()
        if field.kind == .dayOfWeek, low <= high, take("#") {
            let number = try ordinal()
            for weekday in low...high { insertWeekday(weekday, number: number) }
            return
        }
        guard low > high else { return try stride(low...high) }
        guard field.isExtended, field.kind != .year else { throw reversed(low, high) }
        try stride(low...(high + field.values.count))
    }

    /// Reads a single value, or the first value of a step to the end of the field: `5/15`, as in Quartz, AWS and Kubernetes. No
    /// crontab(1) accepts this.
    private mutating func single(_ value: Int) throws(RecurrenceError) {
        guard next == UInt8(ascii: "/") else { return insert(value...value, by: 1) }
        try stride(value...max(value, field.lastOfItsOwn))
    }

    /// Inserts a range, or each nth value of it if a step follows.
    private mutating func stride(_ range: ClosedRange<Int>) throws(RecurrenceError) {
        guard let step = try step() else { return insert(range, by: 1) }
        insert(range, by: step)
        remark(on: step, through: range, leaves: range.lowerBound)
    }

    /// Adds a remark for a step that is longer than its range, or that restarts before a whole step has passed.
    private mutating func remark(on step: Int, through range: ClosedRange<Int>, leaves value: Int?) {
        // In `*/100,1-7` the long step is intended: this is how crontabs require that both day fields match.
        let isAlone = itemStart == word.lowerBound && scanner.position == end
        guard isAlone || !isDay else { return }
        let all = field.values.lowerBound...field.lastOfItsOwn
        let range = range == field.values ? all : range
        if step >= range.count {
            guard range.count > 1 else { return }
            values.remarks.append(
                StepRemarks.longStep(
                    text(from: itemStart, to: scanner.position), in: range, of: field.name, leaves: value,
                    instead: range.upperBound == all.upperBound ? field.everyUnit.map { "@every \(step)\($0)" } : nil))
        } else if isAlone, range.upperBound == all.upperBound, range.lowerBound - all.lowerBound < step {
            values.remarks += field.unevenStep(step, in: range, of: all.count)
        }
    }

    private func reversed(_ low: Int, _ high: Int) -> RecurrenceError {
        var hint =
            "write the lower value first, or two ranges: \(low)-\(field.values.upperBound),\(field.values.lowerBound)-\(high)"
        if field.kind == .year { hint = "write the earlier year first" }
        if field.kind == .dayOfWeek, high == 0 { hint = "Sunday at the end of a range is 7: \(low)-7" }
        return error("\(field.name): range \(text(from: itemStart, to: scanner.position)) is reversed", at: itemStart, hint: hint)
    }

    /// Inserts each nth value. Values past the field's end continue at its beginning.
    private mutating func insert(_ range: ClosedRange<Int>, by step: Int) {
        for value in Swift.stride(from: range.lowerBound, through: range.upperBound, by: step) {
            values.set.insert((value > field.values.upperBound ? value - field.values.count : value) - field.base)
        }
    }

    /// Reads `/n`, if it follows.
    private mutating func step() throws(RecurrenceError) -> Int? {
        guard take("/") else { return nil }
        let start = scanner.position
        let digits = text(from: start, to: digitsEnd)
        guard !digits.isEmpty else { throw unexpected(expected: "a number after /") }
        scanner.position = digitsEnd
        guard digits.utf8.count <= 6, let step = Int(digits), step > 0, step <= field.longestStep else {
            throw error("\(field.name): step \(digits) is out of range 1-\(field.longestStep)", at: start)
        }
        return step
    }

    // MARK: Days that the month decides

    /// Reads the rest after `L`: nothing, `W`, `-n`, `-nW`.
    private mutating func daysBeforeLast() throws(RecurrenceError) {
        var days = 0
        if take("-") {
            let start = scanner.position
            let digits = text(from: start, to: digitsEnd)
            guard !digits.isEmpty else { throw unexpected(expected: "a number of days after L-") }
            scanner.position = digitsEnd
            guard digits.utf8.count <= 2, let number = Int(digits), number <= 30 else {
                throw error("\(field.name): L-\(digits) is out of range L-0 to L-30", at: start)
            }
            days = number
        }
        if takeLetter(UInt8(ascii: "w")) {
            values.special.nearestBeforeLast |= 1 << UInt32(days)
        } else {
            values.special.beforeLast |= 1 << UInt32(days)
        }
    }

    /// Reads `L` in a day of week. It is Saturday in the extended dialects; elsewhere a day must follow (`L5`, as in croniter).
    private mutating func lastWeekday() throws(RecurrenceError) {
        let start = scanner.position
        scanner.advance()
        if !field.isExtended, let byte = next, byte != UInt8(ascii: ",") { return insertWeekday(try value(), number: 0) }
        guard field.isExtended, text(from: word.lowerBound, to: end).utf8.count == 1 else {
            throw error(
                "\(field.name): L needs a day before it", at: start,
                hint: field.isExtended ? "L by itself is Saturday, and is allowed only by itself" : "5L is the last Friday of the month")
        }
        values.set.insert(6)
    }

    private mutating func insertWeekday(_ value: Int, number: Int) {
        values.special.nthWeekdays |= 1 << UInt64((value - field.base) % 7 * 8 + number)
    }

    private mutating func ordinal() throws(RecurrenceError) -> Int {
        let start = scanner.position
        let digits = text(from: start, to: digitsEnd)
        guard !digits.isEmpty else { throw unexpected(expected: "1 to 5 after #") }
        scanner.position = digitsEnd
        guard let number = Int(digits), (1...5).contains(number) else {
            throw error("\(field.name): #\(digits) is out of range #1-#5", at: start)
        }
        return number
    }

    // MARK: Values

    private mutating func value() throws(RecurrenceError) -> Int {
        let start = scanner.position
        guard let byte = next else { throw error("\(field.name): a value is missing", at: start) }
        if byte.isDigit {
            let digits = text(from: start, to: digitsEnd)
            scanner.position = digitsEnd
            guard let value = Int(digits), field.values.contains(value) else {
                throw error(
                    "\(field.name) \(digits) is out of range \(field.values.lowerBound)-\(field.values.upperBound)",
                    at: start)
            }
            return value
        }
        if byte.isLetter, !field.names.isEmpty {
            var place = start
            while place < end, scanner.bytes[place].isLetter { place += 1 }
            // FRIL is the last Friday.
            if field.kind == .dayOfWeek, place - start == 4, scanner.bytes[place - 1].lowercased == UInt8(ascii: "l") { place -= 1 }
            let name = text(from: start, to: place)
            if let number = field.names.firstIndex(of: name.asciiLowercased) {
                scanner.position = place
                return number + field.firstName
            }
            let near = field.names.min { $0.editDistance(to: name) < $1.editDistance(to: name) }
            let prefix = field.names.first { name.asciiLowercased.hasPrefix($0) }
            var hint = "allowed are \(field.allowed)"
            if let prefix {
                hint = "names have three letters: \(prefix)"
            } else if let near, near.editDistance(to: name) <= 1 {
                hint = "did you mean \(near)?"
            }
            throw error("\(field.name): unknown name \(quoted(name))", at: start, hint: hint)
        }
        throw unexpected()
    }

    // MARK: H

    /// A value, or an offset of a step, that depends on the seed and the field.
    private mutating func hashed() throws(RecurrenceError) {
        guard field.kind != .year else { throw error("year: H has no meaning here", at: scanner.position - 1) }
        var values = field.values.lowerBound...field.hashedEnd
        if take("(") {
            let start = scanner.position
            let low = try value()
            guard take("-") else { throw unexpected(expected: "a range such as H(0-29)") }
            let high = try value()
            guard low <= high else { throw error("\(field.name): range \(low)-\(high) is reversed", at: start) }
            guard take(")") else { throw unexpected(expected: "a closing parenthesis") }
            values = low...high
        }
        try insertHashed(values)
    }

    /// Reads the rest after `~`. cronie and OpenBSD draw a new value of the range each time they read the crontab; here the value
    /// stays the same, as for `H`. OpenBSD's step begins at a random value, as the step of `H` does. A missing end is the field's
    /// end.
    private mutating func random(from low: Int) throws(RecurrenceError) {
        var high = max(low, field.hashedEnd)
        if let byte = next, byte != UInt8(ascii: ","), byte != UInt8(ascii: "/") { high = try value() }
        guard low <= high else {
            throw error(
                "\(field.name): range \(text(from: itemStart, to: scanner.position)) is reversed", at: itemStart,
                hint: "write the lower value first")
        }
        try insertHashed(low...high)
    }

    /// A value of the range, or each nth value of it from a first one on.
    private mutating func insertHashed(_ range: ClosedRange<Int>) throws(RecurrenceError) {
        let hash = Self.mix(stableSeed ^ (UInt64(WallFields.Stars(field.kind).rawValue) << 56))
        guard let step = try step() else {
            let value = range.lowerBound + Int(hash % UInt64(range.count))
            return insert(value...value, by: 1)
        }
        let shift = Int(hash % UInt64(min(step, range.count)))
        insert((range.lowerBound + shift)...range.upperBound, by: step)
        if step >= range.count { remark(on: step, through: range, leaves: nil) }
    }

    /// The finalizer of SplitMix64: every bit of the seed affects every bit of the result, identically on all machines.
    private static func mix(_ seed: UInt64) -> UInt64 {
        var x = seed &+ 0x9E37_79B9_7F4A_7C15
        x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
        return x ^ (x >> 31)
    }

    // MARK: Errors

    private var digitsEnd: Int {
        var place = scanner.position
        while place < end, scanner.bytes[place].isDigit { place += 1 }
        return place
    }

    private func text(from start: Int, to end: Int) -> String {
        scanner.text(from: start, to: end)
    }

    private func unexpected(expected: String? = nil) -> RecurrenceError {
        let place = scanner.position
        let allowed = expected ?? "\(field.allowed), \(field.forms)"
        guard place < end else {
            return error(
                "\(field.name): expected \(allowed), found the end of \(quoted(text(from: word.lowerBound, to: end)))",
                at: place)
        }
        // Take the whole character, even if it has several bytes.
        let found = String(decoding: scanner.bytes[place..<end], as: UTF8.self).prefix(1)
        var hint: String?
        switch found {
        case "?" where !field.isExtended: hint = "? means *, alone or before a step"
        case "?": hint = isDay ? "? must be by itself" : "* means any value here"
        case "~": hint = field.isExtended ? "random ranges belong to the five fields of crontab(5)" : "a random range is written a~b"
        case "L", "l", "W", "w": hint = "\(found) belongs to \(found.uppercased() == "W" ? "a day of month" : "a day")"
        case "#": hint = "# belongs to a day of week: 2#3 is the third Tuesday"
        case "-": hint = "values can't be negative"
        default: break
        }
        return error("\(field.name): expected \(allowed), found \(quoted(String(found)))", at: place, hint: hint)
    }

    private func error(_ message: String, at byte: Int, hint: String? = nil) -> RecurrenceError {
        RecurrenceError(message, offset: scanner.characterOffset(of: byte), hint: hint)
    }
}
