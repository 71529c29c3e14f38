import Glibc
import Lines
import Linux
import WorkerProtocol

// Reads `env_file` as the user of the job.

extension RunRequest {
    private static let bytesMax = 1 << 20

    /// The request with the variables of its `environmentFile` added to its environment.
    ///
    /// The lines are `KEY=value` as in systemd's EnvironmentFile=: blank lines and lines that begin with `#` or `;` are ignored,
    /// one pair of quotes around a value is removed, and `export ` may precede the name. A byte that is not UTF-8 is kept.
    ///
    /// A missing file is left out if the request allows it, and `remarks` reports it.
    func withEnvironmentFile(_ remarks: inout [String]) throws(StartFailure) -> RunRequest {
        guard let path = environmentFile else { return replaceable > 0 ? withEnvironment(of: []) : self }
        do throws(StartFailure) { return try withEnvironmentFile(at: path) } catch {
            guard substitutes.leavesOutEnvironmentFile else { throw error }
            remarks.append("\(error.message); it runs without it")
            return withEnvironment(of: [])
        }
    }

    private func withEnvironmentFile(at path: String) throws(StartFailure) -> RunRequest {
        let bytes: [UInt8]
        do throws(SystemError) {
            // Open without blocking: the writer of a FIFO may never write.
            let file = try FileDescriptor.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY)
            guard try file.status().kind == .file else { throw SystemError(call: "read", path: path, errno: EINVAL) }
            bytes = try file.readAll(limit: Self.bytesMax)
        } catch {
            throw StartFailure(errno: error.errno, message: "env_file \"\(path)\": \(error.message)")
        }
        func failure(_ line: Int, _ message: String) -> StartFailure {
            StartFailure(errno: EINVAL, message: "env_file \"\(path)\" line \(line): \(message)")
        }
        let read: Lines
        do throws(NotLines) { read = try Lines(checking: bytes) } catch { throw failure(error.line, "\(error.message); \(error.hint)") }
        var given: [String] = []
        for line in read {
            var text = line.bytes.trimmed
            if text.isEmpty || text.first == UInt8(ascii: "#") || text.first == UInt8(ascii: ";") { continue }
            if text.starts(with: "export ".utf8) { text = text.dropFirst(7) }
            guard let equals = text.firstIndex(of: UInt8(ascii: "=")), equals != text.startIndex, !text.contains(0) else {
                throw failure(line.number, "expected KEY=value")
            }
            var value = text[(equals + 1)...]
            if value.count >= 2, let quote = value.first, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"), value.last == quote {
                value = value.dropFirst().dropLast()
            }
            given.append(FileName.string(from: Array(text[...equals] + value)))
        }
        return withEnvironment(of: given)
    }

    /// Inserts these variables, and before them those of the worker's session, between those that they override and those that override
    /// them.
    private func withEnvironment(of given: [String]) -> RunRequest {
        var lines = Array(environment[..<replaceable])
        var session: [String] = []
        if let text = getenv(Self.sessionVariable) {
            for line in FileName.string(from: text).utf8.split(separator: UInt8(ascii: "\n")) { session.append(String(Substring(line))) }
        }
        for line in session + given + environment[replaceable...] { lines.set(line) }
        var request = self
        request.environment = lines
        return request
    }
}

extension [String] {
    /// Adds a variable, or changes the value of an existing one in its place.
    fileprivate mutating func set(_ line: String) {
        let name = line.utf8.prefix { $0 != UInt8(ascii: "=") }
        let known = firstIndex { $0.utf8.starts(with: name) && $0.utf8.dropFirst(name.count).first == UInt8(ascii: "=") }
        if let known { self[known] = line } else { append(line) }
    }
}

extension ArraySlice<UInt8> {
    /// The text without blanks at its ends.
    fileprivate var trimmed: ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        var text = self
        while let last = text.last, isBlank(last) { text.removeLast() }
        while let first = text.first, isBlank(first) { text.removeFirst() }
        return text
    }
}
