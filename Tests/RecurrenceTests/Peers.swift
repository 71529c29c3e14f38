import Foundation
import enum TestSupport.Descriptors
import Testing

/// Other programs that compute due times, asked about the same schedules.
enum Peer {
    /// The output of a program. Nil if it cannot run or fails.
    static func output(of words: [String], input: String = "") -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // Another test may have this process in another zone at the moment.
        process.arguments = ["TZ=UTC"] + words
        let files = FileManager.default.temporaryDirectory.appendingPathComponent("spoold-peer-\(UUID().uuidString)")
        // Input and output are files, not pipes, so that neither side waits for the other.
        do {
            try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: files) }  // litter in a temporary directory
            let inputFile = files.appendingPathComponent("in")
            let outputFile = files.appendingPathComponent("out")
            try Data(input.utf8).write(to: inputFile)
            try Data().write(to: outputFile)
            process.standardInput = try FileHandle(forReadingFrom: inputFile)
            process.standardOutput = try FileHandle(forWritingTo: outputFile)
            process.standardError = FileHandle.nullDevice
            try Descriptors.alone { try process.run() }
            process.waitUntilExit()
            guard process.terminationStatus == 0 else { return nil }
            return String(decoding: try Data(contentsOf: outputFile), as: UTF8.self)
        } catch {
            return nil
        }
    }

    /// The output of a Python program with this input.
    static func python(_ program: String, input: String = "") -> String? {
        output(of: ["python3", "-c", program], input: input)
    }
}

extension Trait where Self == ConditionTrait {
    static func program(_ name: String, _ arguments: String...) -> Self {
        .enabled("\(name) is not installed") { Peer.output(of: [name] + arguments) != nil }
    }

    static func python(_ module: String) -> Self {
        .enabled("Python's \(module) is not installed") { Peer.python("import \(module)") != nil }
    }
}
