import Glibc

/// File names as Strings, whatever bytes they are made of.
///
/// Linux names are bytes, Strings are Unicode. A name that is valid UTF-8 is itself. In any other, each invalid byte
/// 0xNN becomes the private-use scalar U+10FF00+NN; and because a name may contain such a scalar in earnest, the four bytes
/// of one in U+10FF00...U+10FFFF are treated as invalid too. So every name maps to one String and back to the same bytes.
public enum FileName {
    private static let escapeBase: UInt32 = 0x10FF00
    /// The first byte of every scalar from U+100000 on, and of no other: names without it need no decoding back.
    private static let escapeLead: UInt8 = 0xF4

    /// The String for a name's bytes.
    public static func string(from bytes: UnsafeBufferPointer<UInt8>) -> String {
        if !bytes.contains(escapeLead), let name = String(validating: bytes, as: UTF8.self) { return name }
        return escaped(bytes)
    }

    /// The String for a name's bytes.
    public static func string(from bytes: [UInt8]) -> String {
        bytes.withUnsafeBufferPointer { string(from: $0) }
    }

    /// The bytes for a String: the inverse of ``string(from:)``, without a closing NUL.
    public static func bytes(of name: String) -> [UInt8] {
        if !name.utf8.contains(escapeLead) { return Array(name.utf8) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(name.utf8.count)
        for scalar in name.unicodeScalars {
            if scalar.value >= escapeBase {
                bytes.append(UInt8(scalar.value - escapeBase))
            } else {
                bytes.append(contentsOf: UTF8.encode(scalar)!)  // a Unicode.Scalar always has an encoding
            }
        }
        return bytes
    }

    /// The String for a name that ends with a NUL, as in an argument or a variable.
    public static func string(from name: UnsafePointer<CChar>) -> String {
        string(from: UnsafeRawBufferPointer(start: name, count: strlen(name)).assumingMemoryBound(to: UInt8.self))
    }

    /// True for a name whose bytes and text are the same.
    public static func isUTF8(_ name: String) -> Bool { !name.utf8.contains(escapeLead) || bytes(of: name) == Array(name.utf8) }

    /// True when access(2) grants this on the path. By default: something is there.
    public static func isAccessible(_ path: String, _ mode: Int32 = F_OK) -> Bool {
        // A path with a NUL leads nowhere.
        (try? withCPath(path) { access($0, mode) == 0 }) ?? false
    }

    /// Calls `body` with the path as the system wants it.
    /// Throws EINVAL for a path that contains a NUL, which the system would take for its end.
    public static func withCPath<Value>(
        _ path: String, _ body: (UnsafePointer<CChar>) -> Value
    ) throws(SystemError) -> Value {
        var path = path
        // One pass looks for both: NUL, which must not pass, and the lead byte of an escape.
        let (hasNUL, hasEscape) = path.withUTF8 { bytes in (bytes.contains(0), bytes.contains(escapeLead)) }
        if hasNUL { throw SystemError(call: "path", path: path, errno: EINVAL) }
        if !hasEscape { return path.withCString(body) }
        var bytes = bytes(of: path)
        if bytes.contains(0) { throw SystemError(call: "path", path: path, errno: EINVAL) }
        bytes.append(0)
        return bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { body($0.baseAddress!) }  // not empty: it ends with a NUL
        }
    }

    private static func escaped(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        var scalars = String.UnicodeScalarView()
        var index = 0
        while index < bytes.count {
            let length = scalarLength(bytes, at: index)
            if length > 0, let text = String(validating: bytes[index..<index + length], as: UTF8.self),
                let scalar = text.unicodeScalars.first, scalar.value < escapeBase
            {
                scalars.append(scalar)
                index += length
            } else {
                scalars.append(Unicode.Scalar(escapeBase + UInt32(bytes[index]))!)  // at most U+10FFFF
                index += 1
            }
        }
        return String(scalars)
    }

    /// How many bytes the scalar starting at `index` takes by its first byte; 0 when no scalar starts so or it is cut off.
    private static func scalarLength(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Int {
        let length =
            switch bytes[index] {
            case 0x00...0x7F: 1
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 0
            }
        return index + length <= bytes.count ? length : 0
    }
}
