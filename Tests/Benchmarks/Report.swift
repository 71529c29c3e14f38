import Glibc

/// One line of the table.
struct Row {
    var measure: String
    var ours: String
    var reference = ""
    /// The ratio of the daemon's figure to the reference.
    var ratio: Double?
    var bar = ""
    /// Nil if there is no bar.
    var isMet: Bool?
}

/// The table. Each row is printed when it is measured.
struct Report {
    private(set) var missed = 0
    private(set) var failed = 0

    private static let widths = [38, 40, 40, 6, 26]

    mutating func header() { Self.print(["measure", "ours", "reference", "ratio", "bar", "met"]) }

    mutating func add(_ row: Row) {
        if row.isMet == false { missed += 1 }
        let met = row.isMet.map { $0 ? "yes" : "NO" } ?? ""
        Self.print([row.measure, row.ours, row.reference, row.ratio.map { decimal($0) } ?? "", row.bar, met])
    }

    mutating func skip(_ measure: String, _ reason: String) { Self.print([measure, "skipped: \(reason)"]) }

    mutating func fail(_ measure: String, _ reason: String) {
        failed += 1
        Self.print([measure, "FAILED: \(reason)"])
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
