import TestSupport
import Testing

@testable import Store

/// Texts that a careless format would lose, split or confuse with its own syntax.
let hostile = [
    "", " ", "  ", "a b", "=", "a=b c=d", "\"", "\\", "\\n", "\n", "\r\n", "\t", "\0", "\u{1}\u{1F}\u{7F}", "\u{80}\u{9F}", "é",
    "e\u{301}", "🦊", "\u{2028}", "\u{FEFF}", "\u{10FFFF}", "a\nb2c3d4e5 18 2026-11-21T02:00:00.000Z withdrawn id=x",
    String(repeating: "\"\\\n", count: 500),
]

/// A tally of which each number is another one.
func someTally() -> Tally {
    let numbers = (0..<62).map { Int64(1) << $0 }
    var tally = Tally(
        started: numbers[40], retries: numbers[41], startsAhead: 3, retriesAhead: 5,
        ended: Dictionary(uniqueKeysWithValues: zip(Tally.results, numbers.dropFirst(1))),
        dues: Dictionary(uniqueKeysWithValues: zip(Tally.DueOutcome.allCases.map(\.rawValue), numbers.dropFirst(20))),
        processorMilliseconds: Tally.max)
    tally.durations.take(Array(numbers.dropFirst(30).prefix(tally.durations.counts.count)), sum: Tally.max)
    tally.startDelays.take(Array(numbers.dropFirst(42).prefix(tally.startDelays.counts.count)), sum: 7)
    return tally
}

/// Every kind of record, with and without its optional fields, and with hostile texts.
func everyRecord() throws -> [Record] {
    let id = JobID(instant: now, name: "a", unique: 7)
    var records: [Record] = [
        .accepted(try accepted("a")), .withdrawn(id), .started(id, attempt: 3), .requested(id, name: "k3f9.request"), .daemonStopped,
        .scheduled(task: "t", schedule: "s", accounted: now, origin: now, lastEnd: nil),
        .scheduled(
            task: "t", schedule: "s", accounted: Instant(milliseconds: 0), origin: instant("2199-12-31T23:59:59.999Z"), lastEnd: now),
        .settled(task: "t", schedule: "s", SettledDues(through: now)),
        .settled(
            task: "t", schedule: "s",
            SettledDues(through: now, open: [now.advanced(byMilliseconds: 1), now.advanced(byMilliseconds: 86_400_000)])),
        .answered(task: "t", schedule: "s", due: now, last: nil), .answered(task: "t", schedule: "s", due: nil, last: now),
        .unscheduled(task: "t", schedule: "s"), .undefined(file: "tasks/t"), .recovered(last: now), .followed,
        .ran(task: "t", latest: LatestRun(id, .failed), RunMarks()),
        .ran(
            task: "t", latest: nil,
            RunMarks(
                startedAt: now, endedAt: now, succeededAt: instant("2026-11-21T02:00:00.000Z"), durationMilliseconds: 0, exitCode: -1)),
        .counted(Tally()), .counted(someTally()), .expecting(task: "t", since: nil, isOverdue: false),
        .announced(id, .start), .announced(id, .slow), .failing(task: "t", failures: 3, toldAt: now),
        .failing(task: "t", failures: 0, toldAt: nil),
        .expecting(task: "t", since: now, isOverdue: true),
    ]
    for why in StopReason.allCases { records.append(.stopping(id, why)) }
    for state in [JobState.new, .done, .failed] {
        for reason in FailureReason.allCases.map(Optional.some) + [nil] {
            records.append(.ended(id, Ending(attempt: 1, state: state, reason: reason)))
        }
    }
    var ending = Ending(attempt: 1_000_000, state: .new, reason: .signal)
    ending.startedAt = now
    ending.notBefore = now
    ending.exitCode = 255
    ending.signal = 64
    ending.pid = Int32.max
    ending.usage = Usage(wallMilliseconds: .max, userMilliseconds: 0, systemMilliseconds: 1, maxRSSBytes: 1 << 50)
    ending.hasOutput = true
    ending.errorTail = "a\nb"
    records.append(.ended(id, ending))
    var waiting = try accepted("w")
    waiting.waitsFor = [id, JobID(instant: now, name: "b", unique: 8)]
    records.append(.accepted(waiting))
    waiting.parent = id
    waiting.depth = 16
    waiting.overdueTask = "t"
    waiting.readAt = waiting.createdAt.advanced(byMilliseconds: 5000)
    records.append(.accepted(waiting))
    for reason in SkippedDue.Reason.allCases {
        records.append(.skipped(SkippedDue(task: "t", schedule: "s", from: now, through: now, count: 3, reason: reason)))
    }
    records.append(.skipped(SkippedDue(task: "t", schedule: "s", from: now, through: now, count: nil, reason: .merged)))
    for text in hostile {
        ending.error = text
        records.append(.ended(id, ending))
        records.append(.rejected(RejectedFile(id: id, name: "a", file: text, inode: .max, due: now, error: text)))
        records.append(.paused(.all, note: text))
        records.append(.daemonStarted(boot: text, version: text))
        records.append(.repaired(since: now))
        records.append(.refused(file: "tasks/t", why: text))
        records.append(
            .defined(
                file: "tasks/t",
                RecordedDefinition(
                    Source(format: .json, bytes: Array(text.utf8)), writtenAt: Instant(milliseconds: 1_790_000_000_123), createdAt: now)))
        records.append(
            .defined(
                file: "tasks/t",
                RecordedDefinition(Source(format: .toml, bytes: []), writtenAt: Instant(milliseconds: 0), crontab: text)))
        var job = try accepted("a", "#!/bin/sh\n\(text)", .script)
        job.name = text
        job.task = text
        job.schedule = text
        job.retryOf = text
        job.isDirectory = true
        job.forgivenTries = 2
        job.file = FileStamp(name: text, inode: .max, size: .max, modifiedNanoseconds: .min)
        records.append(.accepted(job))
        var skipped = SkippedDue(task: "t", schedule: "s", from: now, through: now, count: 1, reason: .paused)
        skipped.file = ArrivedFile(path: text, fingerprint: .max, changedAt: now)
        records.append(.skipped(skipped))
        job.paths = [text, "/b"]
        job.fingerprints = [0, .max]
        records.append(.accepted(job))
    }
    let stamp = ContentStamp(inode: .max, size: 1, modifiedNanoseconds: -1, changedNanoseconds: 1_790_000_000_123_456_789)
    records.append(
        .defined(
            file: "tasks/t",
            RecordedDefinition(Source(format: .json, bytes: [0x7B, 0x7D]), writtenAt: Instant(milliseconds: 0), stamp: stamp)))
    records += [.stamped(file: "schedules/s", stamp), .stamped(file: "tasks/t", nil)]
    for isAll in [false, true] {
        records.append(.filesSeen(task: "t", schedule: "s", isAll ? [] : [1, .max], isAll: isAll))
    }
    records.append(.filesGone(task: "t", schedule: "s", [0]))
    var directory = try accepted("a")
    directory.isDirectory = true
    records.append(.accepted(directory))
    for scope in [PauseScope.all, .queue("q"), .task("t-1"), .queue("pause.x")] {
        records += [.paused(scope, note: "n"), .resumed(scope)]
    }
    // Names that are not UTF-8, and every possible byte.
    let name = FileName.string(from: [0x66, 0xFF, 0x0A, 0xC3])
    records.append(.rejected(RejectedFile(id: id, name: "a", file: name, inode: 0, due: now, error: "x")))
    records.append(
        .defined(
            file: "tasks/t",
            RecordedDefinition(Source(format: .toml, bytes: (0...255).map { UInt8($0) }), writtenAt: Instant(milliseconds: 0))))
    var script = try accepted("a", "#!/bin/sh", .script)
    script.source.bytes += [0x0A] + (0...255).map { UInt8($0) }
    records.append(.accepted(script))
    return records
}

func bytes(of record: Record, sequence: UInt64 = 17) -> [UInt8] {
    var line = JournalLine()
    line.append(record, sequence: sequence, at: now)
    return line.bytes
}

func fields(_ line: [UInt8]) -> JournalFields? { line.withUnsafeBufferPointer { JournalFields($0) } }
