// Flips every bit of a journal, one after another. No flip may go unnoticed: every line that is read must be one that was written, and
// reading the segment must report the other line, or, for the last newline, a torn tail.

import Daemon
import Store

package struct JournalBits {
    /// The segment, and the offsets at which its lines begin.
    private let bytes: [UInt8]
    private let starts: [Int]
    /// The number of lines before the last batch.
    private let settled: Int

    package private(set) var turned = 0
    /// The first few flips that went unnoticed.
    package private(set) var unseen: [String] = []

    package var records: Int { starts.count }

    /// A journal of at least this many records, as a daemon writes it: tasks, pauses, and jobs from their drop to their end.
    package init(records: Int) throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        let task = "command = [\"true\"]\noverlap = \"allow\"\n[[schedule]]\nevery = \"1s\"\nfrom = \"start\"\n"
        try world.disk.write("tasks/task.toml", Array(task.utf8))
        var journal: [UInt8] = []
        for round in 0... {
            journal = world.disk.bytes("journal/\(try Journal.segments(world.disk).last ?? "")") ?? []
            if journal.count(where: { $0 == newline }) >= records { break }
            try world.disk.write("new/job \(round) é.toml", Array("command = \"echo '\\\"\(round)\\\"'\"\ntries = 2\n".utf8))
            if round % 10 == 0 { try world.disk.write("control/pause-\(round % 20 == 0 ? "a" : "b")", Array("a \"note\"".utf8)) }
            try world.turn()
            while world.work(UInt64(round)) { try world.turn() }
            world.pass(milliseconds: 700)
        }
        bytes = journal
        starts = [0] + journal.indices.dropLast().filter { journal[$0] == newline }.map { $0 + 1 }
        let end = journal.split(separator: newline).dropLast().lastIndex { line in
            line.withUnsafeBufferPointer { JournalFields($0)?.endsBatch ?? false }
        }
        settled = end.map { $0 + 1 } ?? 0
    }

    /// Flips every `step`th bit and reads its line, or the two lines that a flipped newline joins. For every `wholeStep`th bit, reads the
    /// whole segment.
    package mutating func turn(step: Int, wholeStep: Int) {
        var number = 0
        for (index, start) in starts.enumerated() {
            let next = index + 1 < starts.count ? starts[index + 1] : bytes.count
            let after = index + 2 < starts.count ? starts[index + 2] : bytes.count
            for place in start..<next {
                for bit in UInt8(0)..<8 {
                    number += 1
                    if number % step == 0 {
                        // A flipped newline joins its line with the next one.
                        var lines = Array(bytes[start..<(place == next - 1 ? after : next)])
                        lines[place - start] ^= 1 << bit
                        turned += 1
                        if !isSeen(lines) { report("bit \(bit) of byte \(place), in line \(index + 1)") }
                    }
                    if number % wholeStep == 0 { turnInWhole(place, bit, line: index + 1) }
                }
            }
        }
    }

    /// True when none of the lines can be read.
    private func isSeen(_ lines: [UInt8]) -> Bool {
        lines.split(separator: newline).allSatisfy { line in
            line.withUnsafeBufferPointer { JournalFields($0) == nil }
        }
    }

    private mutating func turnInWhole(_ place: Int, _ bit: UInt8, line: Int) {
        var damaged = bytes
        damaged[place] ^= 1 << bit
        let disk = SimulatedDisk()
        let segment = "000000000001.log"
        var count = 0
        do {
            try disk.makeDirectory("journal")
            try disk.write("journal/\(segment)", damaged)
            let read = try Journal.read(disk, segment: segment) { _ in count += 1 }
            if place != bytes.count - 1 || count != settled || read.tornBytes == 0 {
                report("the reader passes bit \(bit) of byte \(place)")
            }
        } catch JournalError.damage(let damage) {
            if damage.line != line || count != line - 1 { report("bit \(bit) of byte \(place), in line \(line), is told as \(damage)") }
        } catch {
            report("\(error)")
        }
        var reader = Ends()
        do {
            // A torn tail is not a line, so the scan skips it.
            let damage = try Journal.scan(disk, since: Instant(milliseconds: 0), into: &reader)
            if damage.isEmpty, place != bytes.count - 1 { report("the scan passes bit \(bit) of byte \(place)") }
        } catch {
            report("\(error)")
        }
    }

    private mutating func report(_ what: String) {
        if unseen.count < 10 { unseen.append(what) }
    }

    /// A reader for one kind of record must report damage in all others too, because the flipped bit may be in the kind.
    private struct Ends: JournalReader {
        func wants(_ line: JournalGlance) -> Bool { line.kind == "ended" }
        mutating func take(_ fields: JournalFields) {}
    }
}

private let newline = UInt8(ascii: "\n")
