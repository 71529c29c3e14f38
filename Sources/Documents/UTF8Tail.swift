/// Text that arrives in pieces, which may be cut within a character.
public enum UTF8Tail {
    /// The number of bytes at the end that begin a character which the next piece completes: 0 to 3.
    public static func cutOffCount(_ bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let byte = bytes[bytes.count - count]
            if byte & 0xC0 == 0x80 { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return length > count ? count : 0
        }
        return 0
    }
}
