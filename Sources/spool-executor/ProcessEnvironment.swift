import Glibc
import Linux

/// The variables of this program.
enum ProcessEnvironment {
    /// `NAME=VALUE`.
    static var lines: [String] {
        var lines: [String] = []
        var next = environ
        while let line = next.pointee {
            let bytes = UnsafeRawBufferPointer(start: line, count: strlen(line)).assumingMemoryBound(to: UInt8.self)
            lines.append(FileName.string(from: bytes))
            next += 1
        }
        return lines
    }

    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// The path of a program, found in PATH.
    static func find(_ program: String) -> String? {
        let path = value("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").lazy.map { "\($0)/\(program)" }.first { Process.executability($0) == .executable }
    }
}
