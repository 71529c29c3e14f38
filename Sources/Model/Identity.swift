/// Names and keys: 1 to 64 of `A-Za-z0-9._-`, not starting with `.` or `-`.
public enum Name {
    public static let lengthMax = 64

    public static func isValid(_ text: some StringProtocol) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= lengthMax, first != UInt8(ascii: "."), first != UInt8(ascii: "-")
        else { return false }
        return bytes.allSatisfy(isNameByte)
    }

    /// Makes a valid name from any file name: other characters become `_`, and a long name is cut.
    public static func sanitized(_ text: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8.prefix(lengthMax) {
            if bytes.isEmpty, byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") { continue }
            bytes.append(isNameByte(byte) ? byte : UInt8(ascii: "_"))
        }
        return bytes.isEmpty ? "job" : String(decoding: bytes, as: UTF8.self)
    }

    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// True for files that somebody is still writing, which are never touched: `.x`, `x~`, `x.tmp`, `x.part`, `x.swp`, `x.lock`.
    public static func isUnfinished(_ file: String) -> Bool {
        file.utf8.first == UInt8(ascii: ".") || endsUnfinished(file)
    }

    /// The endings of these names.
    static func endsUnfinished(_ file: String) -> Bool {
        let bytes = file.utf8
        switch bytes.last {
        case UInt8(ascii: "~"): return true
        case UInt8(ascii: "p"), UInt8(ascii: "t"), UInt8(ascii: "k"):
            return [".tmp", ".part", ".swp", ".lock"].contains { bytes.suffix($0.utf8.count).elementsEqual($0.utf8) }
        // Most names end otherwise. A spool can have a hundred thousand.
        default: return false
        }
    }
}

/// `20261121T020000.000Z-backup-k3f9ab`: the due or submission instant in UTC, a name, four or more base-32 characters.
/// Ids sort by time and are safe in a shell and in a file name.
public struct JobID: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    public var description: String { text }

    public static func < (a: JobID, b: JobID) -> Bool { a.text < b.text }

    /// Returns nil unless `text` has the form of an id.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        // 20 characters for the instant, a dash, a name, a dash, four characters.
        guard bytes.count >= 27, bytes.count <= 20 + 1 + Name.lengthMax + 1 + 16 else { return nil }
        let shape = Array("00000000T000000.000Z-".utf8)
        for (byte, expected) in zip(bytes, shape) {
            if expected == UInt8(ascii: "0") {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            } else if byte != expected {
                return nil
            }
        }
        guard let dash = bytes.lastIndex(of: UInt8(ascii: "-")), dash > shape.count, bytes.count - dash - 1 >= 4,
            bytes[(dash + 1)...].allSatisfy({ Base32.alphabet.contains($0) }),
            Name.isValid(String(decoding: bytes[shape.count..<dash], as: UTF8.self))
        else { return nil }
        self.text = String(text)
    }

    /// The id of a submission or a dropped file. `unique` distinguishes ids with the same name and millisecond.
    public init(instant: Instant, name: String, unique: UInt64) {
        self.init(instant: instant, name: name, suffix: Base32.encode(unique, characters: 6))
    }

    public init(instant: Instant, name: String, suffix: String) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(96)
        instant.appendCompact(to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(contentsOf: suffix.utf8)
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// The id of a scheduled run depends only on the task, the schedule and the due time, so one due time can never become two
    /// jobs.
    public init(task: String, schedule: String, due: Instant) {
        self.init(instant: due, name: task, unique: stableHash("\(task)\u{0}\(schedule)\u{0}\(due.milliseconds)"))
    }
}

/// Crockford's base 32 in lower case: no `i l o u`, so an id can be read aloud.
public enum Base32 {
    static let alphabet = Array("0123456789abcdefghjkmnpqrstvwxyz".utf8)

    public static func encode(_ value: UInt64, characters: Int) -> String {
        var rest = value
        var bytes: [UInt8] = []
        for _ in 0..<characters {
            bytes.append(alphabet[Int(rest & 31)])
            rest >>= 5
        }
        return String(decoding: bytes.reversed(), as: UTF8.self)
    }
}

/// FNV-1a with a final mix. The result is the same on every machine and in every version, because ids and delays depend on it.
public func stableHash(_ text: String) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash ^= hash >> 33
    hash &*= 0xff51_afd7_ed55_8ccd
    hash ^= hash >> 33
    hash &*= 0xc4ce_b9fe_1a85_ec53
    return hash ^ (hash >> 33)
}
