import Glibc
import func TestSupport.readFile
import let TestSupport.vectorDirectory
import Testing

/// The test cases of other projects, in files below `vectorDirectory`.
enum Vectors {
    static func areThere(_ path: String) -> Bool { access(vectorDirectory + "/" + path, R_OK) == 0 }

    /// The objects of a file of JSON lines.
    static func lines(_ path: String) throws -> [JSON] {
        let bytes = try #require(readFile(vectorDirectory + "/" + path))
        return try bytes.split(separator: UInt8(ascii: "\n")).map { line in
            var reader = JSONReader(bytes: Array(line))
            let value = reader.value()
            return try #require(value)
        }
    }
}

extension Trait where Self == ConditionTrait {
    static func vectors(_ path: String) -> Self {
        .enabled(if: Vectors.areThere(path), "no \(path) in \(vectorDirectory)")
    }

    static var tzdata: Self {
        .enabled(if: access("/usr/share/zoneinfo/Europe/Berlin", R_OK) == 0, "the package tzdata is not installed")
    }
}

/// The part of JSON that the vectors need.
enum JSON {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    subscript(key: String) -> JSON {
        if case .object(let members) = self { return members[key] ?? .null }
        return .null
    }
    var string: String? { if case .string(let text) = self { text } else { nil } }
    var number: Double? { if case .number(let number) = self { number } else { nil } }
    var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }
    var array: [JSON]? { if case .array(let elements) = self { elements } else { nil } }
    var strings: [String] { array?.compactMap(\.string) ?? [] }
    var isEmpty: Bool {
        switch self {
        case .null: true
        case .object(let members): members.isEmpty
        case .array(let elements): elements.isEmpty
        default: false
        }
    }
}

struct JSONReader {
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func next() -> UInt8? {
        while at < bytes.count, [9, 10, 13, 32].contains(bytes[at]) { at += 1 }
        return at < bytes.count ? bytes[at] : nil
    }

    mutating func value() -> JSON? {
        switch next() {
        case UInt8(ascii: "{"):
            at += 1
            var members: [String: JSON] = [:]
            while let byte = next(), byte != UInt8(ascii: "}") {
                if byte == UInt8(ascii: ",") {
                    at += 1
                    continue
                }
                guard case .string(let key)? = value(), next() == UInt8(ascii: ":") else { return nil }
                at += 1
                guard let member = value() else { return nil }
                members[key] = member
            }
            at += 1
            return .object(members)
        case UInt8(ascii: "["):
            at += 1
            var elements: [JSON] = []
            while let byte = next(), byte != UInt8(ascii: "]") {
                if byte == UInt8(ascii: ",") {
                    at += 1
                    continue
                }
                guard let element = value() else { return nil }
                elements.append(element)
            }
            at += 1
            return .array(elements)
        case UInt8(ascii: "\""): return string()
        case UInt8(ascii: "t"):
            at += 4
            return .bool(true)
        case UInt8(ascii: "f"):
            at += 5
            return .bool(false)
        case UInt8(ascii: "n"):
            at += 4
            return .null
        default:
            let start = at
            while at < bytes.count, !",]} ".utf8.contains(bytes[at]) { at += 1 }
            return Double(String(decoding: bytes[start..<at], as: UTF8.self)).map { .number($0) }
        }
    }

    private mutating func string() -> JSON? {
        at += 1
        var units: [UInt16] = []
        var text = ""
        func flush() {
            text += String(decoding: units, as: UTF16.self)
            units = []
        }
        var run: [UInt8] = []
        while at < bytes.count, bytes[at] != UInt8(ascii: "\"") {
            if bytes[at] != UInt8(ascii: "\\") {
                if !units.isEmpty { flush() }
                run.append(bytes[at])
                at += 1
                continue
            }
            text += String(decoding: run, as: UTF8.self)
            run = []
            at += 2
            switch bytes[at - 1] {
            case UInt8(ascii: "n"): units.append(10)
            case UInt8(ascii: "t"): units.append(9)
            case UInt8(ascii: "r"): units.append(13)
            case UInt8(ascii: "u"):
                guard let unit = UInt16(String(decoding: bytes[at..<(at + 4)], as: UTF8.self), radix: 16) else { return nil }
                units.append(unit)
                at += 4
            case let other: units.append(UInt16(other))
            }
        }
        flush()
        text += String(decoding: run, as: UTF8.self)
        at += 1
        return .string(text)
    }
}
