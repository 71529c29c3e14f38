// A frame has the length of its body as four bytes, little-endian, and then the body: version, kind, fields. A number has eight bytes. A
// text has its length in four bytes and then its UTF-8 without NUL; other bytes are written in the same way. A list has its count in four
// bytes and then its elements. An optional has a byte 0 or 1 and then its value. No bytes may be left over in a body.

/// Bytes that are not a frame of this protocol. The rest of the stream cannot be trusted.
public enum ProtocolError: Error, Sendable, Equatable {
    /// A frame announces a body longer than ``FrameBuffer/bodyLimit``.
    case tooLong(Int)
    case unknownVersion(UInt8)
    case unknownKind(UInt8)
    /// A field reaches past the end of the body, a value is out of range, a text is not UTF-8 or contains a NUL, or bytes are
    /// left over.
    case malformed
}

/// Cuts a stream of bytes into frames.
public struct FrameBuffer: Sendable {
    /// Linux passes at most 2 MiB of arguments and environment to a program, so a valid request is much shorter.
    public static let bodyLimit = 8 << 20

    private var bytes: [UInt8] = []
    private var start = 0

    public init() { bytes.reserveCapacity(4096) }

    /// Adds bytes that were read from the stream.
    public mutating func append(_ chunk: UnsafeRawBufferPointer) {
        if start > 0 {
            bytes.removeFirst(start)
            start = 0
        }
        bytes.append(contentsOf: chunk)
    }

    /// Adds bytes that were read from the stream.
    public mutating func append(_ chunk: [UInt8]) { chunk.withUnsafeBytes { append($0) } }

    /// The body of the next complete frame. Nil while the frame is incomplete.
    public mutating func next() throws(ProtocolError) -> ArraySlice<UInt8>? {
        guard bytes.count - start >= 4 else { return nil }
        let length = (0..<4).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
        if length > FrameBuffer.bodyLimit { throw .tooLong(length) }
        guard bytes.count - start - 4 >= length else { return nil }
        defer { start += 4 + length }
        return bytes[start + 4..<start + 4 + length]
    }

    /// True when no bytes are waiting, not even part of a frame.
    public var isEmpty: Bool { start == bytes.count }
}

/// Commands of version 2 and later are accepted: an older daemon starts the worker that is installed at its worker's path, which may be
/// newer. So a report keeps its form for ever. Another form has another tag, and is sent only when the request has asked for it, which
/// needs a new version of commands.
private enum Version {
    static let reports: UInt8 = 2
    static let commands: UInt8 = 7
}

private enum Tag {
    static let run: UInt8 = 1
    static let signal: UInt8 = 2
    static let stop: UInt8 = 3
    static let outputTaken: UInt8 = 4
    static let ended: UInt8 = 129
    static let running: UInt8 = 130
    static let cannotServe: UInt8 = 131
    static let remark: UInt8 = 132
    static let output: UInt8 = 133
    static let outputEnded: UInt8 = 134
    static let outputWithEnd: UInt8 = 135
    static let exited: Int64 = 0
    static let signaled: Int64 = 1
    static let timedOut: Int64 = 2
    static let spawnFailed: Int64 = 3
    static let inputBroke: Int64 = 4
}

// MARK: - Commands

extension Command {
    /// The whole frame, length included.
    public func frame() -> [UInt8] {
        switch self {
        case .run(let request):
            var writer = FrameWriter(kind: Tag.run, version: Version.commands)
            writer.write(request)
            return writer.finish()
        case .signal(let number):
            var writer = FrameWriter(kind: Tag.signal, version: Version.commands)
            writer.write(Int64(number))
            return writer.finish()
        case .stop(let killAfterMilliseconds):
            var writer = FrameWriter(kind: Tag.stop, version: Version.commands)
            writer.write(optional: killAfterMilliseconds) { $0.write($1) }
            return writer.finish()
        case .outputTaken(let count):
            var writer = FrameWriter(kind: Tag.outputTaken, version: Version.commands)
            writer.write(Int64(count))
            return writer.finish()
        }
    }

    /// Reads a frame's body.
    public init(body: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = try FrameReader(body)
        switch reader.kind {
        case Tag.run: self = .run(try reader.request())
        case Tag.signal: self = .signal(try reader.int32())
        case Tag.stop: self = .stop(killAfterMilliseconds: try reader.flag() ? try reader.int64() : nil)
        case Tag.outputTaken: self = .outputTaken(try reader.int())
        default: throw .unknownKind(reader.kind)
        }
        try reader.finish()
    }
}

extension FrameWriter {
    fileprivate mutating func write(_ request: RunRequest) {
        write(request.jobID)
        write(Int64(request.attempt))
        write(request.jobDirectory)
        write(request.arguments)
        write(request.environment)
        write(request.workingDirectory)
        write(Int64(request.umask))
        write(optional: request.stdin) { $0.write($1) }
        write(request.stdoutName)
        write(request.stderrName)
        write(request.timeoutMilliseconds)
        write(Int64(request.stopSignal))
        write(request.killAfterMilliseconds)
        write(request.killsLeftovers)
        write(request.outputLimitBytes)
        write(request.confinement.map(\.text))
        write(optional: request.environmentFile) { $0.write($1) }
        write(Int64(request.replaceable))
        write(request.substitutes.directories)
        write(request.substitutes.arguments)
        write(request.substitutes.leavesOutEnvironmentFile)
        write(optional: request.journal?.socket) { $0.write($1) }
        write(request.journal?.fields ?? [])
        write(request.reportsOutput)
        write(request.reportsOutputEnds)
    }
}

extension FrameReader {
    fileprivate mutating func confinement() throws(ProtocolError) -> [Confinement] {
        var found: [Confinement] = []
        for text in try texts() {
            guard let one = Confinement(text) else { throw .malformed }
            found.append(one)
        }
        return found
    }

    fileprivate mutating func request() throws(ProtocolError) -> RunRequest {
        var request = RunRequest(
            jobID: try jobID(), attempt: try int(), jobDirectory: try text(), arguments: try texts(), environment: try texts(),
            workingDirectory: try text(), umask: try uint32(), stdin: try flag() ? try text() : nil, stdoutName: try text(),
            stderrName: try text(), timeoutMilliseconds: try int64(), stopSignal: try int32(),
            killAfterMilliseconds: try int64(), killsLeftovers: try flag(), outputLimitBytes: try int64(), confinement: try confinement())
        if version >= 3 {
            request.environmentFile = try flag() ? try text() : nil
            request.replaceable = try int()
        }
        if version >= 4 {
            request.substitutes.directories = try texts()
            request.substitutes.arguments = try texts()
            request.substitutes.leavesOutEnvironmentFile = try flag()
        }
        if version >= 5 {
            let socket = try flag() ? try text() : nil
            let fields = try texts()
            request.journal = socket.map { JournalTarget(socket: $0, fields: fields) }
        }
        if version >= 6 { request.reportsOutput = try flag() }
        if version >= 7 { request.reportsOutputEnds = try flag() }
        guard (0...request.environment.count).contains(request.replaceable) else { throw .malformed }
        return request
    }
}

// MARK: - Reports

extension Report {
    /// The whole frame, length included.
    public func frame() -> [UInt8] {
        switch self {
        case .running(let jobID, let attempt, let pid):
            var writer = FrameWriter(kind: Tag.running, version: Version.reports)
            writer.write(jobID)
            writer.write(Int64(attempt))
            writer.write(Int64(pid))
            return writer.finish()
        case .ended(let end):
            var writer = FrameWriter(kind: Tag.ended, version: Version.reports)
            writer.write(end.jobID)
            writer.write(Int64(end.attempt))
            writer.write(end.kind)
            writer.write(end.startedAt)
            writer.write(end.endedAt)
            writer.write(end.wallMilliseconds)
            writer.write(end.userMilliseconds)
            writer.write(end.systemMilliseconds)
            writer.write(end.maxRSSBytes)
            writer.write(Int64(end.leftovers))
            writer.write(Int64(end.pid))
            return writer.finish()
        case .remark(let jobID, let attempt, let text):
            var writer = FrameWriter(kind: Tag.remark, version: Version.reports)
            writer.write(jobID)
            writer.write(Int64(attempt))
            writer.write(text)
            return writer.finish()
        case .cannotServe(let errno, let message):
            var writer = FrameWriter(kind: Tag.cannotServe, version: Version.reports)
            writer.write(Int64(errno))
            writer.write(message)
            return writer.finish()
        case .output(let output):
            var writer = FrameWriter(kind: output.end == nil ? Tag.output : Tag.outputWithEnd, version: Version.reports)
            writer.write(output.jobID)
            writer.write(Int64(output.attempt))
            writer.write(output.stream)
            writer.write(output.isPartial)
            writer.write(output.bytes)
            if let end = output.end { writer.write(end) }
            return writer.finish()
        case .outputEnded(let jobID, let attempt, let leftOutBytes):
            var writer = FrameWriter(kind: Tag.outputEnded, version: Version.reports)
            writer.write(jobID)
            writer.write(Int64(attempt))
            writer.write(leftOutBytes)
            return writer.finish()
        }
    }

    /// Reads a frame's body.
    public init(body: ArraySlice<UInt8>) throws(ProtocolError) {
        var reader = try FrameReader(body)
        switch reader.kind {
        case Tag.running:
            self = .running(jobID: try reader.text(), attempt: try reader.int(), pid: try reader.int32())
        case Tag.ended:
            self = .ended(
                RunEnd(
                    jobID: try reader.text(), attempt: try reader.int(), kind: try reader.endKind(),
                    startedAt: try reader.int64(), endedAt: try reader.int64(), wallMilliseconds: try reader.int64(),
                    userMilliseconds: try reader.int64(), systemMilliseconds: try reader.int64(),
                    maxRSSBytes: try reader.int64(), leftovers: try reader.int(), pid: try reader.int32()))
        case Tag.remark: self = .remark(jobID: try reader.text(), attempt: try reader.int(), try reader.text())
        case Tag.cannotServe: self = .cannotServe(errno: try reader.int32(), message: try reader.text())
        case Tag.output, Tag.outputWithEnd:
            self = .output(
                Output(
                    jobID: try reader.text(), attempt: try reader.int(), stream: try reader.text(), isPartial: try reader.flag(),
                    bytes: try reader.bytes(), end: reader.kind == Tag.outputWithEnd ? try reader.byteCount() : nil))
        case Tag.outputEnded:
            self = .outputEnded(jobID: try reader.text(), attempt: try reader.int(), leftOutBytes: try reader.byteCount())
        default: throw .unknownKind(reader.kind)
        }
        try reader.finish()
    }
}

extension FrameWriter {
    fileprivate mutating func write(_ kind: RunEnd.Kind) {
        switch kind {
        case .exited(let code): write(status: .exited(code: code))
        case .signaled(let number, let coreDumped): write(status: .signaled(number: number, coreDumped: coreDumped))
        case .timedOut(let status):
            write(Tag.timedOut)
            write(status: status)
        case .inputBroke(let status):
            write(Tag.inputBroke)
            write(status: status)
        case .spawnFailed(let errno, let message):
            write(Tag.spawnFailed)
            write(Int64(errno))
            write(message)
        }
    }

    private mutating func write(status: ExitStatus) {
        switch status {
        case .exited(let code):
            write(Tag.exited)
            write(Int64(code))
        case .signaled(let number, let coreDumped):
            write(Tag.signaled)
            write(Int64(number))
            write(coreDumped)
        }
    }
}

extension FrameReader {
    fileprivate mutating func endKind() throws(ProtocolError) -> RunEnd.Kind {
        let tag = try int64()
        switch tag {
        case Tag.timedOut: return .timedOut(try status(try int64()))
        case Tag.inputBroke: return .inputBroke(try status(try int64()))
        case Tag.spawnFailed: return .spawnFailed(errno: try int32(), message: try text())
        default:
            switch try status(tag) {
            case .exited(let code): return .exited(code: code)
            case .signaled(let number, let coreDumped): return .signaled(number: number, coreDumped: coreDumped)
            }
        }
    }

    private mutating func status(_ tag: Int64) throws(ProtocolError) -> ExitStatus {
        switch tag {
        case Tag.exited: return .exited(code: try int32())
        case Tag.signaled: return .signaled(number: try int32(), coreDumped: try flag())
        default: throw .malformed
        }
    }
}

// MARK: - Fields

private struct FrameWriter {
    private var bytes: [UInt8]

    init(kind: UInt8, version: UInt8) {
        bytes = []
        bytes.reserveCapacity(2048)
        bytes += [0, 0, 0, 0, version, kind]
    }

    consuming func finish() -> [UInt8] {
        let length = bytes.count - 4
        for index in 0..<4 { bytes[index] = UInt8(truncatingIfNeeded: length >> (8 * index)) }
        return bytes
    }

    mutating func write(_ value: Int64) { withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) } }

    mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

    mutating func write(_ text: String) {
        write(count: text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func write(_ content: [UInt8]) {
        write(count: content.count)
        bytes += content
    }

    mutating func write(_ texts: [String]) {
        write(count: texts.count)
        for text in texts { write(text) }
    }

    mutating func write<Value>(optional value: Value?, _ body: (inout FrameWriter, Value) -> Void) {
        write(value != nil)
        if let value { body(&self, value) }
    }

    private mutating func write(count: Int) {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: count).littleEndian) { bytes.append(contentsOf: $0) }
    }
}

private struct FrameReader {
    let version: UInt8
    let kind: UInt8
    private var rest: ArraySlice<UInt8>

    init(_ body: ArraySlice<UInt8>) throws(ProtocolError) {
        guard body.count >= 2 else { throw .malformed }
        version = body[body.startIndex]
        guard (Version.reports...Version.commands).contains(version) else { throw .unknownVersion(version) }
        kind = body[body.startIndex + 1]
        rest = body.dropFirst(2)
    }

    func finish() throws(ProtocolError) {
        if !rest.isEmpty { throw .malformed }
    }

    mutating func int64() throws(ProtocolError) -> Int64 { Int64(bitPattern: try little(8)) }

    /// A size or a number of bytes, which is not negative.
    mutating func byteCount() throws(ProtocolError) -> Int64 {
        let value = try int64()
        guard value >= 0 else { throw .malformed }
        return value
    }

    mutating func int() throws(ProtocolError) -> Int {
        guard let value = Int(exactly: try int64()) else { throw .malformed }
        return value
    }

    mutating func int32() throws(ProtocolError) -> Int32 {
        guard let value = Int32(exactly: try int64()) else { throw .malformed }
        return value
    }

    mutating func uint32() throws(ProtocolError) -> UInt32 {
        guard let value = UInt32(exactly: try int64()) else { throw .malformed }
        return value
    }

    mutating func flag() throws(ProtocolError) -> Bool {
        guard let byte = rest.popFirst(), byte <= 1 else { throw .malformed }
        return byte == 1
    }

    mutating func text() throws(ProtocolError) -> String {
        let length = Int(try little(4))
        guard length <= rest.count else { throw .malformed }
        let bytes = rest.prefix(length)
        rest = rest.dropFirst(length)
        guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else { throw .malformed }
        return text
    }

    mutating func bytes() throws(ProtocolError) -> [UInt8] {
        let length = Int(try little(4))
        guard length <= rest.count else { throw .malformed }
        let bytes = Array(rest.prefix(length))
        rest = rest.dropFirst(length)
        return bytes
    }

    /// An id names a directory, so its length is at most 255 bytes. WorkerRecord relies on this limit.
    mutating func jobID() throws(ProtocolError) -> String {
        let id = try text()
        guard id.utf8.count <= 255 else { throw .malformed }
        return id
    }

    mutating func texts() throws(ProtocolError) -> [String] {
        let count = Int(try little(4))
        // Each element takes at least four bytes, so a wrong count cannot make us reserve more memory than was sent.
        guard count <= rest.count / 4 else { throw .malformed }
        var texts: [String] = []
        texts.reserveCapacity(count)
        for _ in 0..<count { texts.append(try text()) }
        return texts
    }

    private mutating func little(_ count: Int) throws(ProtocolError) -> UInt64 {
        guard rest.count >= count else { throw .malformed }
        var value: UInt64 = 0
        for (index, byte) in rest.prefix(count).enumerated() { value |= UInt64(byte) << (8 * UInt64(index)) }
        rest = rest.dropFirst(count)
        return value
    }
}
