/// The path and the query of an address, decoded (RFC 3986): `/jobs?state=failed&task=a%2Fb`.
public struct WebAddress: Sendable, Equatable {
    /// The parts between the slashes; empty for `/`. A part is never empty, `.` or `..`.
    public var path: [String]
    /// The names and values of the query, in order.
    public var query: [(name: String, value: String)]

    public init(path: [String] = [], query: [(name: String, value: String)] = []) {
        self.path = path
        self.query = query
    }

    /// Reads a target as a request line has it. Nil for one that is not valid: not absolute, with a wrong escape, a control character,
    /// bytes that are not UTF-8, or a part such as `..`.
    public init?(_ target: some StringProtocol) {
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = halves.first, first.hasPrefix("/") else { return nil }
        path = []
        for part in first.split(separator: "/") {
            guard let text = Self.decoded(part), text != ".", text != ".." else { return nil }
            path.append(text)
        }
        query = []
        guard halves.count == 2 else { return }
        for pair in halves[1].split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = Self.decoded(parts[0], plusIsSpace: true),
                let value = parts.count == 2 ? Self.decoded(parts[1], plusIsSpace: true) : ""
            else { return nil }
            query.append((name, value))
        }
    }

    public static func == (a: WebAddress, b: WebAddress) -> Bool { a.path == b.path && a.query.elementsEqual(b.query, by: ==) }

    /// The last value of a name in the query; nil when it is missing or empty, as in the address of a form with an empty field.
    public func value(_ name: String) -> String? { query.last { $0.name == name && !$0.value.isEmpty }?.value }

    /// The same address with another value of a name; nil removes the name.
    public func with(_ name: String, _ value: String?) -> WebAddress {
        var address = self
        address.query.removeAll { $0.name == name }
        if let value { address.query.append((name, value)) }
        return address
    }

    /// The address as a link has it.
    public var text: String {
        var text = path.isEmpty ? "/" : path.map { "/\(Self.encoded($0))" }.joined()
        for (index, pair) in query.enumerated() {
            text += "\(index == 0 ? "?" : "&")\(Self.encoded(pair.name))=\(Self.encoded(pair.value))"
        }
        return text
    }

    // MARK: Escapes

    private static func decoded(_ text: Substring, plusIsSpace: Bool = false) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count)
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst().flatMap(digit), let low = rest.popFirst().flatMap(digit) else { return nil }
                bytes.append(high << 4 | low)
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func decoded(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
        decoded(Substring(text), plusIsSpace: plusIsSpace)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Escapes all but the unreserved characters of RFC 3986.
    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
