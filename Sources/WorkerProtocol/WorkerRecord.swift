/// The content of a worker's record file: the current run, or the end of the last run.
///
/// The file is one line of text, padded with spaces to ``size`` bytes and a newline at the end, written at offset 0 by one
/// pwrite(2): `CHECKSUM running …` or `CHECKSUM ended …`. The checksum is the CRC-32C of the text between it and the padding, as eight
/// lower-case hexadecimal digits. The worker has an flock(2) LOCK_EX on the file until it ends. So a later daemon that gets the lock knows
/// that the worker has ended, and that the end of a `running` run is unknown.
public enum WorkerRecord: Sendable, Equatable {
    case running(Running)
    case ended(RunEnd)

    /// A run in progress.
    public struct Running: Sendable, Equatable {
        public var jobID: String
        public var attempt: Int
        public var workerPID: Int32
        /// The worker's start time in clock ticks since boot (field 22 of /proc/PID/stat). The pid and this time identify one
        /// process.
        public var workerStartTime: UInt64
        /// The pid of the command's process. It leads its own session and group. It is a child of the worker, so its number stays
        /// valid while the worker lives.
        /// 0 means that the worker was about to start the command.
        public var jobPID: Int32
        /// The start time of that process, measured as ``workerStartTime``. Nil when unknown: older records do not contain it.
        public var jobStartTime: UInt64?
        /// Wall clock, milliseconds since the epoch.
        public var startedAt: Int64

        public init(
            jobID: String, attempt: Int, workerPID: Int32, workerStartTime: UInt64, jobPID: Int32, jobStartTime: UInt64? = nil,
            startedAt: Int64
        ) {
            self.jobID = jobID
            self.attempt = attempt
            self.workerPID = workerPID
            self.workerStartTime = workerStartTime
            self.jobPID = jobPID
            self.jobStartTime = jobStartTime
            self.startedAt = startedAt
        }
    }

    /// The length of the file, bytes.
    public static let size = 1024
}

// MARK: - Writing

extension WorkerRecord {
    /// The file's content, exactly ``size`` bytes. The message of a spawn failure is cut if it does not fit.
    public func bytes() -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(WorkerRecord.size)
        line += repeatElement(space, count: checksumLength)
        line.append(space)
        switch self {
        case .running(let run): append(run, to: &line)
        case .ended(let end): append(end, to: &line)
        }
        // An id that fills the record cannot belong to a job: ids are file names of at most 255 bytes.
        precondition(line.count < WorkerRecord.size, "a record holds one id and numbers")
        writeChecksum(crc32c(line[(checksumLength + 1)...]), to: &line)
        line += repeatElement(space, count: WorkerRecord.size - 1 - line.count)
        line.append(newline)
        return line
    }

    private func append(_ run: Running, to line: inout [UInt8]) {
        line += "running".utf8
        line.append(word: run.jobID)
        line.append(number: run.attempt)
        line.append(number: run.workerPID)
        line.append(number: run.workerStartTime)
        line.append(number: run.jobPID)
        line.append(number: run.startedAt)
        if let start = run.jobStartTime { line.append(number: start) }
    }

    private func append(_ end: RunEnd, to line: inout [UInt8]) {
        line += "ended".utf8
        line.append(word: end.jobID)
        line.append(number: end.attempt)
        line.append(number: end.startedAt)
        line.append(number: end.endedAt)
        line.append(number: end.wallMilliseconds)
        line.append(number: end.userMilliseconds)
        line.append(number: end.systemMilliseconds)
        line.append(number: end.maxRSSBytes)
        line.append(number: end.leftovers)
        line.append(number: end.pid)
        switch end.kind {
        case .exited(let code): append(.exited(code: code), to: &line)
        case .signaled(let number, let coreDumped): append(.signaled(number: number, coreDumped: coreDumped), to: &line)
        case .timedOut(let status):
            line += " timeout".utf8
            append(status, to: &line)
        case .inputBroke(let status):
            line += " inputless".utf8
            append(status, to: &line)
        case .spawnFailed(let errno, let message):
            line += " unstarted".utf8
            line.append(number: errno)
            line.append(word: message, limit: WorkerRecord.size - 2 - line.count)
        }
    }

    private func append(_ status: ExitStatus, to line: inout [UInt8]) {
        switch status {
        case .exited(let code):
            line += " exit".utf8
            line.append(number: code)
        case .signaled(let number, let coreDumped):
            line += (coreDumped ? " core" : " signal").utf8
            line.append(number: number)
        }
    }
}

// MARK: - Reading

extension WorkerRecord {
    /// Reads a record file's content. Returns nil for anything but a complete record in the form that this version writes.
    public static func parse(_ bytes: [UInt8]) -> WorkerRecord? {
        guard bytes.count == size, bytes[size - 1] == newline, bytes[checksumLength] == space,
            let last = bytes[..<(size - 1)].lastIndex(where: { $0 != space }), last > checksumLength,
            let expected = checksum(bytes[..<checksumLength])
        else { return nil }
        let text = bytes[(checksumLength + 1)...last]
        guard crc32c(text) == expected else { return nil }
        var words = Words(text)
        let record: WorkerRecord?
        switch words.text() {
        case "running": record = words.running().map(WorkerRecord.running)
        case "ended": record = words.ended().map(WorkerRecord.ended)
        default: record = nil
        }
        return words.isEmpty ? record : nil
    }
}

/// The words of a record's line, each taken once.
private struct Words {
    private var rest: ArraySlice<ArraySlice<UInt8>>

    init(_ line: ArraySlice<UInt8>) { rest = line.split(separator: space, omittingEmptySubsequences: false)[...] }

    var isEmpty: Bool { rest.isEmpty }

    mutating func text() -> String? {
        guard let word = rest.popFirst(), let bytes = unescaped(word) else { return nil }
        return String(validating: bytes, as: UTF8.self)
    }

    mutating func number<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value? {
        guard let word = rest.popFirst() else { return nil }
        return Value(String(decoding: word, as: UTF8.self))
    }

    mutating func running() -> WorkerRecord.Running? {
        guard let jobID = text(), let attempt = number(Int.self), let workerPID = number(Int32.self),
            let workerStartTime = number(UInt64.self), let jobPID = number(Int32.self), let startedAt = number(Int64.self)
        else { return nil }
        var jobStartTime: UInt64?
        if !isEmpty {
            guard let start = number(UInt64.self) else { return nil }
            jobStartTime = start
        }
        return WorkerRecord.Running(
            jobID: jobID, attempt: attempt, workerPID: workerPID, workerStartTime: workerStartTime, jobPID: jobPID,
            jobStartTime: jobStartTime, startedAt: startedAt)
    }

    mutating func ended() -> RunEnd? {
        guard let jobID = text(), let attempt = number(Int.self), let startedAt = number(Int64.self),
            let endedAt = number(Int64.self), let wall = number(Int64.self), let user = number(Int64.self),
            let system = number(Int64.self), let maxRSS = number(Int64.self), let leftovers = number(Int.self),
            let pid = number(Int32.self), let kind = endKind()
        else { return nil }
        return RunEnd(
            jobID: jobID, attempt: attempt, kind: kind, startedAt: startedAt, endedAt: endedAt, wallMilliseconds: wall,
            userMilliseconds: user, systemMilliseconds: system, maxRSSBytes: maxRSS, leftovers: leftovers, pid: pid)
    }

    private mutating func endKind() -> RunEnd.Kind? {
        guard let word = text() else { return nil }
        switch word {
        case "timeout":
            guard let word = text(), let status = status(word) else { return nil }
            return .timedOut(status)
        case "inputless":
            guard let word = text(), let status = status(word) else { return nil }
            return .inputBroke(status)
        case "unstarted":
            guard let errno = number(Int32.self), let message = text() else { return nil }
            return .spawnFailed(errno: errno, message: message)
        default:
            switch status(word) {
            case .exited(let code): return .exited(code: code)
            case .signaled(let number, let coreDumped): return .signaled(number: number, coreDumped: coreDumped)
            case nil: return nil
            }
        }
    }

    private mutating func status(_ word: String) -> ExitStatus? {
        guard let value = number(Int32.self) else { return nil }
        switch word {
        case "exit": return .exited(code: value)
        case "signal": return .signaled(number: value, coreDumped: false)
        case "core": return .signaled(number: value, coreDumped: true)
        default: return nil
        }
    }
}

// MARK: - Text

private let space = UInt8(ascii: " ")
private let newline = UInt8(ascii: "\n")
private let percent = UInt8(ascii: "%")
private let checksumLength = 8

private func hexDigit(_ value: UInt32) -> UInt8 {
    let value = UInt8(truncatingIfNeeded: value & 15)
    return value < 10 ? 48 + value : 87 + value
}

private func hexValue(_ digit: UInt8) -> UInt32? {
    switch digit {
    case 48...57: UInt32(digit) - 48
    case 97...102: UInt32(digit) - 87
    default: nil  // upper case is refused too: a checksum has only one spelling
    }
}

private func writeChecksum(_ value: UInt32, to line: inout [UInt8]) {
    for index in 0..<checksumLength { line[index] = hexDigit(value >> (28 - 4 * UInt32(index))) }
}

private func checksum(_ digits: ArraySlice<UInt8>) -> UInt32? {
    var value: UInt32 = 0
    for digit in digits {
        guard let nibble = hexValue(digit) else { return nil }
        value = value << 4 | nibble
    }
    return value
}

extension [UInt8] {
    fileprivate mutating func append(number: some FixedWidthInteger) {
        append(space)
        append(contentsOf: String(number).utf8)
    }

    /// Appends a space and the text, with `%`, space and control characters written as `%hh`. Appends as many whole characters as
    /// fit in `limit`. An empty text is written as a lone `%`, so that no word is empty.
    fileprivate mutating func append(word: String, limit: Int = .max) {
        append(space)
        if word.isEmpty { append(percent) }
        let start = count
        for scalar in word.unicodeScalars {
            let before = count
            for byte in String(scalar).utf8 {
                if byte <= space || byte == percent || byte == 0x7F {
                    append(percent)
                    append(hexDigit(UInt32(byte) >> 4))
                    append(hexDigit(UInt32(byte)))
                } else {
                    append(byte)
                }
            }
            if count - start > limit {
                removeSubrange(before...)
                return
            }
        }
    }
}

private func unescaped(_ word: ArraySlice<UInt8>) -> [UInt8]? {
    if word.count == 1 && word.first == percent { return [] }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(word.count)
    var rest = word
    while let byte = rest.popFirst() {
        if byte != percent {
            // The writer never writes these characters unescaped, and escaping them again would take more room.
            guard byte > space, byte != 0x7F else { return nil }
            bytes.append(byte)
            continue
        }
        guard let high = rest.popFirst().flatMap(hexValue), let low = rest.popFirst().flatMap(hexValue) else { return nil }
        bytes.append(UInt8(high << 4 | low))
    }
    return bytes
}
