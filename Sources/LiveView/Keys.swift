/// A key that the user has pressed.
public enum Key: Equatable, Sendable {
    case up, down, pageUp, pageDown, home, end, tab, backTab, enter, escape, backspace
    case character(Character)
}

/// Reads keys from the bytes that a terminal sends: UTF-8, and the sequences of ECMA-48 and xterm.
public struct KeyReader {
    private var pending: [UInt8] = []

    public init() {}

    /// The bytes so far are an escape key or the beginning of another key. Call ``flush()`` unless more bytes arrive soon.
    public var isPending: Bool { !pending.isEmpty }

    /// Adds bytes and returns the keys that are complete.
    public mutating func take(_ bytes: some Sequence<UInt8>) -> [Key] {
        pending += bytes
        var keys: [Key] = []
        while let (key, length) = Self.first(pending) {
            pending.removeFirst(length)
            if let key { keys.append(key) }
        }
        return keys
    }

    /// Takes the incomplete sequence as the escape key, because no more bytes have arrived.
    public mutating func flush() -> [Key] {
        let isEscape = pending.first == 0x1B
        pending = []
        return isEscape ? [.escape] : []
    }

    /// The first key and its length in bytes. The key is nil for a key without a meaning here. Returns nil while the first key is
    /// incomplete.
    private static func first(_ bytes: [UInt8]) -> (Key?, Int)? {
        guard let byte = bytes.first else { return nil }
        switch byte {
        case 0x1B: return sequence(bytes)
        case 0x09: return (.tab, 1)
        case 0x0A, 0x0D: return (.enter, 1)
        case 0x08, 0x7F: return (.backspace, 1)
        case 0x0E: return (.down, 1)
        case 0x10: return (.up, 1)
        case 0..<0x20: return (nil, 1)
        case 0x20..<0x7F: return (.character(Character(Unicode.Scalar(byte))), 1)
        default: break
        }
        let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
        guard bytes.count >= length else { return nil }
        // Bytes that are not UTF-8 are not a key.
        guard let text = String(validating: bytes.prefix(length), as: UTF8.self), let character = text.first else { return (nil, 1) }
        return (.character(character), length)
    }

    /// `ESC O x`, or `ESC [ parameters x`.
    private static func sequence(_ bytes: [UInt8]) -> (Key?, Int)? {
        guard bytes.count > 1 else { return nil }
        if bytes[1] == UInt8(ascii: "O") {
            guard bytes.count > 2 else { return nil }
            return (named(bytes[2]), 3)
        }
        guard bytes[1] == UInt8(ascii: "[") else { return (.escape, 1) }
        guard let last = bytes.dropFirst(2).firstIndex(where: { (0x40...0x7E).contains($0) }) else {
            return bytes.count > 32 ? (nil, bytes.count) : nil
        }
        guard bytes[last] == UInt8(ascii: "~") else { return (named(bytes[last]), last + 1) }
        switch bytes[2] {
        case UInt8(ascii: "1"), UInt8(ascii: "7"): return (.home, last + 1)
        case UInt8(ascii: "4"), UInt8(ascii: "8"): return (.end, last + 1)
        case UInt8(ascii: "5"): return (.pageUp, last + 1)
        case UInt8(ascii: "6"): return (.pageDown, last + 1)
        default: return (nil, last + 1)
        }
    }

    private static func named(_ byte: UInt8) -> Key? {
        switch byte {
        case UInt8(ascii: "A"): .up
        case UInt8(ascii: "B"): .down
        case UInt8(ascii: "H"): .home
        case UInt8(ascii: "F"): .end
        case UInt8(ascii: "Z"): .backTab
        case UInt8(ascii: "M"): .enter
        default: nil
        }
    }
}
