import Glibc

/// One line of the table.
struct Row {
    var measure: String
    var ours: String
    var reference = ""
    /// The ratio of the daemon's figure to the reference.
    var ratio: Double?
    /// The daemon's figure, and its unit.
    var figure: (value: Double, unit: String)?
    var bar = ""
    /// Nil if there is no bar.
    var isMet: Bool?
}

/// The table, or lines of JSON. Each row is printed when it is measured.
struct Report {
    private(set) var missed = 0
    private(set) var failed = 0
    let isJSON: Bool
    /// The programs that are being measured, if there are two kinds.
    var whose = ""
    /// The rows with a ratio or a figure, by the programs measured.
    private(set) var rows: [String: [Row]] = [:]

    init(isJSON: Bool) { self.isJSON = isJSON }

    private static let widths = [38, 40, 40, 6, 26]

    /// Describes the machine.
    mutating func begin(_ lines: [String], scale: Int?) {
        if isJSON {
            return write([("machine", quoted(lines.joined(separator: "; ")))] + (scale.map { [("scale", "\($0)")] } ?? []))
        }
        for line in lines { Swift.print(line) }
        Swift.print()
        Self.print(["measure", "ours", "reference", "ratio", "bar", "met"])
    }

    mutating func add(_ row: Row) {
        rows[whose, default: []].append(row)
        // A bar is for these programs, not for those that they are compared with.
        if row.isMet == false, whose != Suite.other { missed += 1 }
        let met = row.isMet.map { $0 ? "yes" : "NO" } ?? ""
        guard isJSON else {
            return Self.print([
                titled(row.measure), row.ours, row.reference, row.ratio.map { decimal($0) } ?? "", row.bar, met,
            ])
        }
        var members = [("measure", quoted(row.measure.drop { $0 == " " })), ("ours", quoted(row.ours))]
        if !row.reference.isEmpty { members.append(("reference", quoted(row.reference))) }
        if let ratio = row.ratio { members.append(("ratio", decimal(ratio, 4))) }
        if let figure = row.figure { members += [("value", decimal(figure.value, 4)), ("unit", quoted(figure.unit))] }
        if !row.bar.isEmpty { members.append(("bar", quoted(row.bar))) }
        if let isMet = row.isMet { members.append(("met", isMet ? "true" : "false")) }
        write(members)
    }

    mutating func skip(_ measure: String, _ reason: String) { state(measure, "skipped", reason) }

    mutating func fail(_ measure: String, _ reason: String) {
        failed += 1
        state(measure, "FAILED", reason)
    }

    /// The change of each row from the other programs to these.
    mutating func compare() {
        let before = rows[Suite.other] ?? []
        for (now, then) in zip(rows[Suite.these] ?? [], before) where now.measure == then.measure {
            let pair = now.ratio.flatMap { now in then.ratio.map { (now, $0) } }
                ?? now.figure.flatMap { now in then.figure.map { (now.value, $0.value) } }
            guard let (ours, theirs) = pair, theirs != 0 else { continue }
            let measure = String(now.measure.drop { $0 == " " })
            if isJSON {
                write([("measure", quoted(measure)), ("change", decimal(ours / theirs, 4))])
            } else {
                Self.print(["change of \(measure)", "\(decimal(ours)) after \(decimal(theirs))", "", decimal(ours / theirs)])
            }
        }
        rows = [:]
    }

    private func titled(_ measure: String) -> String { whose.isEmpty ? measure : "\(measure) [\(whose)]" }

    private func state(_ measure: String, _ what: String, _ reason: String) {
        guard isJSON else { return Self.print([titled(measure), "\(what): \(reason)"]) }
        write([("measure", quoted(measure)), (what.lowercased(), quoted(reason))])
    }

    private func write(_ members: [(String, String)]) {
        let all = (whose.isEmpty ? [] : [("programs", quoted(whose))]) + members
        Swift.print("{\(all.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ","))}")
        fflush(nil)
    }

    private func quoted(_ text: some StringProtocol) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"", "\\": quoted += "\\\(scalar)"
            case _ where scalar.value < 0x20: quoted += " "
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private static func print(_ cells: [String]) {
        var line = ""
        for (index, cell) in cells.enumerated() {
            line += cell
            if index < cells.count - 1 {
                line += String(repeating: " ", count: max(0, widths[index] - cell.count)) + "  "
            }
        }
        while line.last == " " { line.removeLast() }
        Swift.print(line)
        fflush(nil)
    }
}

func complain(_ message: String) {
    var line = "Benchmarks: \(message)\n"
    // If standard error fails too, only the exit code shows the failure.
    _ = line.withUTF8 { write(2, $0.baseAddress, $0.count) }
}

/// `12.30`: a number with this many digits after the point.
func decimal(_ value: Double, _ digits: Int = 2) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "\(value)" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = Int64((abs(value) * scale).rounded())
    let sign = value < 0 && scaled > 0 ? "-" : ""
    let whole = scaled / Int64(scale)
    if digits == 0 { return "\(sign)\(whole)" }
    let fraction = String(scaled % Int64(scale))
    return "\(sign)\(whole).\(String(repeating: "0", count: digits - fraction.count))\(fraction)"
}

/// A rate such as `2439/s`.
func perSecond(_ count: Int, in seconds: Double) -> String { "\(decimal(Double(count) / seconds, 0))/s" }
