import Glibc

/// File names as Strings, whatever bytes they have.
///
/// Names in Linux are bytes, and Strings are Unicode. A name in valid UTF-8 is the same String. In other names, each invalid byte 0xNN
/// becomes the private-use scalar U+10FF00+NN. A name may really contain a scalar in U+10FF00...U+10FFFF; its four bytes are treated as
/// invalid too. So every name has one String, from which its bytes can be restored.
public enum FileName {
    private static let escapeBase: UInt32 = 0x10FF00
    /// The first byte of every scalar from U+100000 on, and of no other scalar. A String without it has no escapes.
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

    /// The bytes for a String, without a final NUL: the inverse of ``string(from:)``.
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

    /// True when access(2) grants `mode` on the path. With the default mode, true when the path exists.
    public static func isAccessible(_ path: String, _ mode: Int32 = F_OK) -> Bool {
        (try? withCPath(path) { access($0, mode) == 0 }) ?? false  // a path with a NUL does not exist
    }

    /// Calls `body` with the path as a C string. Throws EINVAL for a path that contains a NUL, because the system would read only the part
    /// before it.
    public static func withCPath<Value>(
        _ path: String, _ body: (UnsafePointer<CChar>) -> Value
    ) throws(SystemError) -> Value {
        var path = path
        // One pass searches for both a NUL and the first byte of an escape.
        let (hasNUL, hasEscape) = path.withUTF8 { bytes in (bytes.contains(0), bytes.contains(escapeLead)) }
        if hasNUL { throw SystemError(call: "path", path: path, errno: EINVAL) }
        if !hasEscape { return path.withCString(body) }
        var bytes = bytes(of: path)
        if bytes.contains(0) { throw SystemError(call: "path", path: path, errno: EINVAL) }
        bytes.append(0)
        return bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { body($0.baseAddress!) }  // not empty: it has the final NUL
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

    /// The length of the scalar at `index`, by its first byte. 0 when no scalar starts with this byte or the end is missing.
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
