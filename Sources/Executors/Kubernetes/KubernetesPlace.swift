/// The place of a try in Kubernetes. Written to the job's directory, as `place.TRY`, before the job is made there, and never changed.
public struct KubernetesPlace: Sendable, Equatable {
    public var namespace: String
    /// The name of the Job.
    public var name: String
    /// The value of the label by which the jobs of the spool are found.
    public var tag: String

    public init(namespace: String, name: String, tag: String) {
        self.namespace = namespace
        self.name = name
        self.tag = tag
    }

    public var handle: String { "\(namespace)/\(name)" }

    public var text: String { "\(namespace) \(name) \(tag)\n" }

    public init?(_ text: String) {
        let words = text.split(separator: "\n", omittingEmptySubsequences: false).first?.split(separator: " ").map(String.init) ?? []
        guard words.count == 3, text.hasSuffix("\n"), words.allSatisfy(Self.isName) else { return nil }
        self.init(namespace: words[0], name: words[1], tag: words[2])
    }

    /// A label of DNS (RFC 1123), which every name here is: no path and no option can be hidden in it.
    public static func isName(_ text: String) -> Bool {
        let dash = UInt8(ascii: "-")
        guard let first = text.utf8.first, first != dash, text.utf8.last != dash else { return false }
        return text.utf8.count <= 63 && text.utf8.allSatisfy(isNameByte)
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "-")
    }

    /// The name of a try's Job: from its id, as far as a label of DNS can hold it, the try and a random end, so that two spools with a
    /// job of the same id do not meet. A pod's name has 6 more characters and at most 63.
    public static func name(id: String, attempt: Int64, random: UInt32) -> String {
        // The id's instant is left out: what a person knows the job by comes first.
        let known = id.split(separator: "-").dropFirst().joined(separator: "-")
        var readable = (known.isEmpty ? id : known).utf8.map { byte -> UInt8 in
            let lower = UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte
            return isNameByte(lower) ? lower : UInt8(ascii: "-")
        }
        let digits = String(random, radix: 16)
        let end = "-\(attempt)-\(String(repeating: "0", count: 8 - digits.count))\(digits)"
        readable = Array(readable.prefix(57 - 2 - end.utf8.count))
        return "s-" + String(decoding: readable, as: UTF8.self) + end
    }
}
