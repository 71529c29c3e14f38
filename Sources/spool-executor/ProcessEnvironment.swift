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

    /// The path of a program, searched in PATH of these variables as execvp(3) does. Nil when it is not there.
    static func find(_ program: String, _ variables: [String]) -> String? {
        if program.utf8.contains(UInt8(ascii: "/")) { return program }
        let path = variables.last { $0.utf8.starts(with: "PATH=".utf8) }?.dropFirst(5) ?? "/usr/local/bin:/usr/bin:/bin"
        return path.split(separator: ":").lazy.map { "\($0)/\(program)" }.first { Process.executability($0) == .executable }
    }
}
