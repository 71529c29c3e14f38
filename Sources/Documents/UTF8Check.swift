/// UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF.
enum UTF8Check {
    static func isASCII(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        let raw = UnsafeRawBufferPointer(bytes)
        var index = 0
        while index + 8 <= raw.count {
            if raw.loadUnaligned(fromByteOffset: index, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { return false }
            index += 8
        }
        while index < raw.count {
            if raw[index] >= 0x80 { return false }
            index += 1
        }
        return true
    }

    /// The offset of the first sequence that is not UTF-8. Nil when all bytes are UTF-8.
    static func firstInvalid(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
        var index = 0
        while index < bytes.count {
            let lead = bytes[index]
            if lead < 0x80 {
                index += 1
                continue
            }
            // The range of the second byte excludes overlong forms (E0, F0), surrogates (ED) and scalars above U+10FFFF (F4).
            let length: Int
            var low: UInt8 = 0x80
            var high: UInt8 = 0xBF
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0:
                length = 3
                low = 0xA0
            case 0xED:
                length = 3
                high = 0x9F
            case 0xE1...0xEF: length = 3
            case 0xF0:
                length = 4
                low = 0x90
            case 0xF1...0xF3: length = 4
            case 0xF4:
                length = 4
                high = 0x8F
            default: return index
            }
            guard index + length <= bytes.count, bytes[index + 1] >= low, bytes[index + 1] <= high else { return index }
            for place in (index + 2)..<(index + length) where bytes[place] & 0xC0 != 0x80 { return index }
            index += length
        }
        return nil
    }

    /// Appends the UTF-8 form of a scalar value. Returns false when `scalar` is a surrogate or above U+10FFFF.
    static func append(_ scalar: UInt32, to bytes: inout [UInt8]) -> Bool {
        guard let scalar = Unicode.Scalar(scalar) else { return false }
        for byte in UTF8.encode(scalar)! { bytes.append(byte) }
        return true
    }
}
