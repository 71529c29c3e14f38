extension Metrics {
    /// Reads a text that this program or another one has written. What is no sample of a known family, with its labels in their order,
    /// is left out; so is a second sample with the same labels, and a histogram that is not whole. Labels may only have characters that
    /// every terminal and every parser takes as they are.
    ///
    /// - Parameters:
    ///   - user: the user whose metrics these are, whatever the text says.
    ///   - omitted: families that the caller knows better.
    ///   - labelledMax: how many tasks, and how many queues, have metrics of their own: the first ones.
    public init(reading text: [UInt8], user: String?, without omitted: [MetricFamily] = [], labelledMax: Int = .max) {
        self.init(user: user)
        var labelled: [String: Set<String>] = [:]
        var histograms: [Int: HistogramText] = [:]
        var seen: Set<[String]> = []
        for line in text.split(separator: UInt8(ascii: "\n")) where line.first != UInt8(ascii: "#") {
            guard let sample = Sample(line), !omitted.contains(sample.family) else { continue }
            // The values of the other labels are few, but a text of somebody else's can name anything.
            if let label = sample.family.labels.first, let value = sample.labels.first, sample.family.kind != .histogram {
                guard labelled[label]?.contains(value) == true || labelled[label]?.count ?? 0 < labelledMax else { continue }
                labelled[label, default: []].insert(value)
            }
            if sample.family.kind == .histogram {
                histograms[MetricFamily.places[sample.family.base] ?? 0, default: HistogramText()].take(sample)
            } else if seen.insert([sample.name] + sample.labels).inserted {
                add(sample.family, sample.labels, MetricValue(text: sample.value))
            }
        }
        for (place, text) in histograms.sorted(by: { $0.key < $1.key }) {
            let family = MetricFamily.all[place]
            guard let (counts, sum) = text.numbers(family) else { continue }
            add(family, counts: counts, sumMilliseconds: sum)
        }
    }
}

/// One line of a text.
private struct Sample {
    let family: MetricFamily
    let name: String
    /// The values of the family's labels, or the bound of a bucket.
    let labels: [String]
    let value: String

    private static let families: [String: MetricFamily] = {
        var families: [String: MetricFamily] = [:]
        for family in MetricFamily.all {
            let names = family.kind == .histogram ? ["_bucket", "_sum", "_count"].map { family.base + $0 } : [family.name]
            for name in names { families[name] = family }
        }
        return families
    }()

    private static let bytesMax = 512

    init?(_ line: ArraySlice<UInt8>) {
        guard line.count <= Self.bytesMax, let space = line.lastIndex(of: UInt8(ascii: " ")) else { return nil }
        let series = line[..<space]
        let nameEnd = series.firstIndex(of: UInt8(ascii: "{")) ?? series.endIndex
        name = String(decoding: series[..<nameEnd], as: UTF8.self)
        guard let family = Self.families[name] else { return nil }
        self.family = family
        value = String(decoding: line[(space + 1)...], as: UTF8.self)
        // Not the other forms of a number that Swift reads, such as those in hexadecimal.
        guard !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }),
            let number = Double(value), number.isFinite
        else { return nil }
        var rest = series[nameEnd...]
        var labels: [String] = []
        let wanted = name == "\(family.base)_bucket" ? ["le"] : family.labels
        for label in wanted + ["user"] {
            guard !rest.isEmpty else {
                guard label == "user" else { return nil }
                break
            }
            guard let value = Self.take(label, &rest) else { return nil }
            if label != "user" { labels.append(value) }
        }
        guard nameEnd == series.endIndex || rest.elementsEqual("}".utf8) else { return nil }
        self.labels = labels
    }

    /// Takes `{label="value"` or `,label="value"` from the beginning of the text.
    private static func take(_ label: String, _ text: inout ArraySlice<UInt8>) -> String? {
        guard text.first == UInt8(ascii: "{") || text.first == UInt8(ascii: ",") else {
            // The end of the labels, before the one that may be missing.
            return label == "user" && text.elementsEqual("}".utf8) ? "" : nil
        }
        var rest = text.dropFirst()
        let start = "\(label)=\"".utf8
        guard rest.starts(with: start) else { return nil }
        rest = rest.dropFirst(start.count)
        guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else { return nil }
        let value = rest[..<end]
        guard value.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\\") }) else { return nil }
        text = rest[(end + 1)...]
        return String(decoding: value, as: UTF8.self)
    }
}

/// The samples of one histogram.
private struct HistogramText {
    private var buckets: [String: Int64] = [:]
    private var sum: Int64?

    mutating func take(_ sample: Sample) {
        if let bound = sample.labels.first {
            buckets[bound] = Int64(sample.value) ?? -1
        } else if sample.name == "\(sample.family.base)_sum" {
            sum = Double(sample.value).flatMap { Int64(exactly: ($0 * 1000).rounded()) }
        }
    }

    /// The numbers of values in each range, and their sum in milliseconds. Nil when they cannot be those of a histogram.
    func numbers(_ family: MetricFamily) -> (counts: [Int64], sum: Int64)? {
        guard let sum, sum >= 0 else { return nil }
        var counts: [Int64] = []
        var below: Int64 = 0
        for bound in family.bounds + ["+Inf"] {
            guard let total = buckets[bound], total >= below else { return nil }
            counts.append(total - below)
            below = total
        }
        return (counts, sum)
    }
}
