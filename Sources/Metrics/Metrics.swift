// The metrics of a spool as text: of one spool, or of all parts of a machine's spool together.
//
// Contract:
// - The samples of a family follow one another, whatever the order in which they are added, and each has a HELP and a TYPE.
// - Labels and help texts are escaped, so no text can add a line.
// - Texts of others are read sample by sample. What is no sample of a known family is left out, and so is a sample for the second time.
//   A label `user` comes from the reader, never from the text.

/// The two texts that a Prometheus reads. They have the same samples.
public enum MetricsFormat: String, Sendable, CaseIterable {
    /// The text format 0.0.4 of Prometheus, which promtool and the textfile collector of node_exporter read.
    case prometheus
    /// OpenMetrics 1.0.0.
    case openMetrics = "openmetrics"

    public var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// The format for a client, by the value of its header `Accept`.
    public init(accepting accept: String) {
        // A client that can read OpenMetrics prefers it.
        let types = accept.utf8.split(separator: UInt8(ascii: ",")).map { $0.prefix { $0 != UInt8(ascii: ";") } }
        let isWanted = types.contains { type in
            String(decoding: type, as: UTF8.self).filter { $0 != " " && $0 != "\t" }.lowercased() == "application/openmetrics-text"
        }
        self = isWanted ? .openMetrics : .prometheus
    }
}

/// A number in the text.
public struct MetricValue: Sendable {
    let text: String

    public static func count(_ count: some FixedWidthInteger) -> MetricValue { MetricValue(text: "\(count)") }
    public static func truth(_ isTrue: Bool) -> MetricValue { MetricValue(text: isTrue ? "1" : "0") }

    /// A number of milliseconds, in seconds.
    public static func seconds(milliseconds: Int64) -> MetricValue {
        let (whole, rest) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
        var digits = rest == 0 ? "" : ".\(String(1000 + rest).dropFirst())"
        while digits.last == "0" { digits.removeLast() }
        return MetricValue(text: "\(milliseconds < 0 ? "-" : "")\(whole)\(digits)")
    }
}

public struct Metrics: Sendable {
    /// The lines of each family, in the order of `MetricFamily.all`.
    private var samples = [[UInt8]](repeating: [], count: MetricFamily.all.count)
    /// The user in the label of each sample. Nil where the spool has one user.
    private let user: String?

    public init(user: String? = nil) { self.user = user }

    // MARK: Adding

    /// Adds a sample, with the values of the family's labels. Without a value there is no sample.
    public mutating func add(_ family: MetricFamily, _ labels: [String] = [], _ value: MetricValue?) {
        guard let value else { return }
        precondition(labels.count == family.labels.count)
        append(family, family.name, Array(zip(family.labels, labels)), value.text)
    }

    /// Adds a histogram.
    ///
    /// - Parameters:
    ///   - counts: the number of values between each bound and the one before, and at last of those beyond all bounds.
    ///   - sum: the sum of the values, in milliseconds.
    public mutating func add(_ family: MetricFamily, counts: [Int64], sumMilliseconds sum: Int64) {
        precondition(family.kind == .histogram && counts.count == family.bounds.count + 1)
        var below: Int64 = 0
        for (bound, count) in zip(family.bounds + ["+Inf"], counts) {
            let (total, isHuge) = below.addingReportingOverflow(count)
            below = isHuge ? .max : total
            append(family, "\(family.base)_bucket", [("le", bound)], "\(below)")
        }
        append(family, "\(family.base)_sum", [], MetricValue.seconds(milliseconds: sum).text)
        append(family, "\(family.base)_count", [], "\(below)")
    }

    /// Adds all samples of another.
    public mutating func add(_ other: Metrics) { for index in samples.indices { samples[index] += other.samples[index] } }

    private mutating func append(_ family: MetricFamily, _ name: String, _ labels: [(String, String)], _ value: String) {
        guard let index = MetricFamily.places[family.base] else { preconditionFailure("\(family.base) is not among all families") }
        var line = Array(name.utf8)
        let labels = labels + (user.map { [("user", $0)] } ?? [])
        for (place, (label, value)) in labels.enumerated() {
            line.append(UInt8(ascii: place == 0 ? "{" : ","))
            line += label.utf8
            line += "=\"".utf8
            for byte in value.utf8 {
                switch byte {
                case UInt8(ascii: "\\"): line += "\\\\".utf8
                case UInt8(ascii: "\""): line += "\\\"".utf8
                case UInt8(ascii: "\n"): line += "\\n".utf8
                default: line.append(byte)
                }
            }
            line.append(UInt8(ascii: "\""))
        }
        if !labels.isEmpty { line.append(UInt8(ascii: "}")) }
        line.append(UInt8(ascii: " "))
        line += value.utf8
        line.append(UInt8(ascii: "\n"))
        samples[index] += line
    }

    /// The number of milliseconds in the only sample of a gauge in seconds. Nil when it has none.
    public func milliseconds(of family: MetricFamily) -> Int64? {
        guard let index = MetricFamily.places[family.base], let value = samples[index].dropLast().split(separator: UInt8(ascii: " ")).last,
            let seconds = Double(String(decoding: value, as: UTF8.self))
        else { return nil }
        // A file can hold any number. No instant is before 1970 or after the year 33658.
        return Int64(min(max(0, seconds), 1e12) * 1000)
    }

    // MARK: The text

    public func text(_ format: MetricsFormat) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(samples.reduce(8192) { $0 + $1.count })
        for (family, lines) in zip(MetricFamily.all, samples) where !lines.isEmpty {
            // OpenMetrics names a counter without its ending.
            let name = format == .openMetrics ? family.base : family.name
            let kind = format == .prometheus && family.kind == .info ? .gauge : family.kind
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(kind.rawValue)\n".utf8
            if format == .openMetrics, !family.unit.isEmpty { text += "# UNIT \(name) \(family.unit)\n".utf8 }
            text += lines
        }
        if format == .openMetrics { text += "# EOF\n".utf8 }
        return text
    }
}
