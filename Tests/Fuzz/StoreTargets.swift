// Data that the daemon and its workers write: journals, status files, and the records and messages of workers. Everything that can be read
// is written and read back unchanged, and damage is reported.

import Daemon
import Simulation
import WorkerProtocol

@testable import Store

/// The lines of a segment without their checksums, which this target adds. It adds none to a line that begins with `!`, and uses the rest
/// of that line as it is.
@Sendable func fuzzJournal(_ bytes: [UInt8]) {
    let segment = withChecksums(bytes)
    for line in segment.split(separator: UInt8(ascii: "\n")) {
        line.withUnsafeBufferPointer { line in
            if let glance = JournalGlance(line) {
                _ = glance.id
                _ = glance.mentions(Array("id".utf8))
            }
            guard let fields = JournalFields(line), let record = fields.record(context) else { return }
            var written = JournalLine()
            written.append(record, sequence: fields.sequence, at: fields.at)
            let text = written.bytes.dropLast()
            guard let again = text.withUnsafeBufferPointer({ JournalFields($0) })?.record(context) else {
                fatalError("is not read back: \(String(decoding: text, as: UTF8.self))")
            }
            var second = JournalLine()
            second.append(again, sequence: fields.sequence, at: fields.at)
            expect(second.bytes == written.bytes, "\(written) becomes \(second)")
        }
    }
    let salvaged = salvage(segment)
    guard salvaged.foreign == nil else { return }
    let isRead = isReadable(segment)
    expect(isRead == salvaged.damage.isEmpty, "\(isRead ? "is read" : "is not read"), and salvage finds \(salvaged.damage)")
    let rewritten = salvaged.rewritten(spool: "x", at: context.now).text.bytes
    let again = salvage(rewritten)
    expect(again.damage.isEmpty && again.tornBytes == 0, "what is written anew is whole: \(again.damage)")
}

private func salvage(_ segment: [UInt8]) -> SalvagedSegment {
    let disk = SimulatedDisk()
    do {
        try disk.makeDirectory("journal")
        try disk.create("journal/000000000001.log", segment, mode: 0o600)
        return try Journal.salvage(disk, segment: "000000000001.log")
    } catch {
        fatalError("bytes in memory can be read: \(error)")
    }
}

/// True when a daemon would continue this journal.
private func isReadable(_ segment: [UInt8]) -> Bool {
    let disk = SimulatedDisk()
    do {
        try disk.makeDirectory("journal")
        try disk.create("journal/000000000001.log", segment, mode: 0o600)
        try Journal.read(disk, segment: "000000000001.log") { _ in }
        return true
    } catch {
        return false
    }
}

/// Starts a daemon with this journal. It starts or reports why not, and the journal that it writes can be read.
@Sendable func fuzzRecovery(_ bytes: [UInt8]) {
    let world = SimulatedWorld()
    let segment = Array("1 2026-11-21T01:00:00.000Z segment format=1 spool=x\n".utf8) + bytes
    do {
        try Spool.prepare(world.disk)
        try world.disk.create("journal/000000000001.log", withChecksums(segment), mode: 0o600)
    } catch {
        fatalError("\(error)")
    }
    do throws(Violation) {
        guard try world.startDaemon() else { return }
    } catch {
        expect(error.description.contains("journal/000000000001.log"), "\(error)")
        return
    }
    do throws(Violation) {
        try live(world)
        try world.rotate()
        world.killDaemon()
        expect(try world.startDaemon(), "a second daemon reads what the first one wrote")
        try live(world)
    } catch {
        fatalError("\(error)")
    }
}

/// Takes some turns, from one due time to the next, and lets the workers work.
func live(_ world: SimulatedWorld) throws(Violation) {
    for pick in 0..<UInt64(12) {
        try world.turn()
        if world.work(pick) { continue }
        if let left = world.millisecondsToWake, world.now.milliseconds + left < 7_200_000_000_000 { world.pass(milliseconds: left) }
    }
}

@Sendable func fuzzStatus(_ bytes: [UInt8]) {
    _ = Extension.milliseconds(bytes)
    guard let table = JSON.readableTable(bytes, limits: .status) else { return }
    if let progress = Progress(json: table) {
        var writer = JSONWriter()
        progress.write(to: &writer)
        expect((try? JSON.parse(writer.bytes)) != nil, "progress is written as JSON")
    }
    guard let status = JobStatus(json: table) else { return }
    let written = status.json()
    guard let again = JSON.readableTable(written, limits: .status), let second = JobStatus(json: again) else {
        fatalError("is not read back: \(String(decoding: written, as: UTF8.self))")
    }
    let (before, after) = (String(decoding: written, as: UTF8.self), String(decoding: second.json(), as: UTF8.self))
    expect(second.json() == written, "\(before) becomes \(after)")
}

/// A worker's record without its checksum and its padding. The same bytes are also read as messages between worker and daemon.
@Sendable func fuzzWorker(_ bytes: [UInt8]) {
    _ = WorkerRecord.parse(bytes)
    let text = bytes.prefix(WorkerRecord.size - 10)
    let padding = [UInt8](repeating: 0x20, count: WorkerRecord.size - 10 - text.count)
    let trimmed = text.prefix { $0 != 0x0A }
    let end = trimmed.lastIndex { $0 != 0x20 }.map { $0 + 1 } ?? 0
    let blanks = [UInt8](repeating: 0x20, count: text.count - end)
    let record = hexadecimal(crc32c(Array(text[..<end]))) + [0x20] + text[..<end] + blanks + padding + [0x0A]
    if let parsed = WorkerRecord.parse(record) { expect(WorkerRecord.parse(parsed.bytes()) == parsed, "\(parsed) is read back") }

    var buffer = FrameBuffer()
    buffer.append(bytes)
    while let body = try? buffer.next() {
        if let command = try? Command(body: body) {
            expect(read(command.frame()) { body throws(ProtocolError) in try Command(body: body) } == command, "\(command)")
        }
        if let report = try? Report(body: body) {
            expect(read(report.frame()) { body throws(ProtocolError) in try Report(body: body) } == report, "\(report)")
        }
    }
    _ = Confinement(String(decoding: bytes, as: UTF8.self))
}

private func read<Message>(_ frame: [UInt8], _ read: (ArraySlice<UInt8>) throws(ProtocolError) -> Message) -> Message? {
    var buffer = FrameBuffer()
    buffer.append(frame)
    do throws(ProtocolError) { return try buffer.next().map(read) } catch { return nil }
}

// MARK: Checksums

private let context = ReadingContext(now: SimulatedWorld.start, zones: ZoneDatabase(directories: []))

private func withChecksums(_ bytes: [UInt8]) -> [UInt8] {
    var segment: [UInt8] = []
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (number, line) in lines.enumerated() {
        if line.first == UInt8(ascii: "!") {
            segment += line.dropFirst()
        } else if !line.isEmpty {
            segment += hexadecimal(crc32c([0x20] + line)) + [0x20] + line
        }
        if number < lines.count - 1 { segment.append(0x0A) }
    }
    return segment
}

private func hexadecimal(_ value: UInt32) -> [UInt8] {
    let digits = Array(String(value, radix: 16).utf8)
    return [UInt8](repeating: UInt8(ascii: "0"), count: 8 - digits.count) + digits
}
