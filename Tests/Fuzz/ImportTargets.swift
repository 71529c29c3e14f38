// The files of other schedulers that `spoolctl import` reads. Each line of a crontab becomes a task with the same meaning or is refused,
// and so does each job of at.

import Crontabs
import Documents
import Lines
import Linux
import Model
import Store

@testable import Recurrence
@testable import SpoolCommands

/// A crontab, read in the system's form and in a user's.
@Sendable func fuzzCrontab(_ bytes: [UInt8]) {
    for line in bytes.split(separator: 0x0A) { expect(DebianCheck.refusal(of: line).map { !$0.isEmpty } ?? true, "a refusal says why") }
    for isSystem in [true, false] {
        let crontab = Crontab(bytes, isSystem: isSystem, isUser: { $0 == "root" })
        let lines = max(1, bytes.split(separator: 0x0A, omittingEmptySubsequences: false).count)
        let numbers = crontab.entries.map(\.line) + crontab.problems.map(\.line)
        expect(Set(numbers).count == numbers.count && numbers.allSatisfy { (1...lines).contains($0) }, "lines \(numbers) of \(lines)")
        expect((crontab.problems + crontab.remarks).allSatisfy { $0.column >= 1 && !$0.message.isEmpty }, "columns")
        for entry in crontab.entries {
            checkLine(of: entry)
            do throws(CrontabTask.Refusal) {
                let task = try CrontabTask(
                    entry, name: Name.sanitized(ProgramName.of(entry.command).prefix(50)), owner: "root", user: "root", isRoot: true,
                    file: "crontab")
                check(task, entry)
            } catch { expect(!error.why.isEmpty, "a refusal says why") }
        }
    }
}

/// A line that is written back is read as the same line, without the blanks that a system's crontab can have before a command.
private func checkLine(of entry: Crontab.Entry) {
    let text: String
    do throws(CrontabLine.Unsayable) { text = try CrontabLine.text(command: entry.command, input: entry.input) } catch { return }
    let again = Crontab(FileName.bytes(of: "0 1 * * * \(text)") + [0x0A], isSystem: false, isUser: { _ in false })
    let command = entry.command.drop { $0 == " " || $0 == "\t" }
    let isSame = again.entries.count == 1 && again.entries[0].command == command && again.entries[0].input == entry.input
    expect(isSame, "\(entry) became \(text)")
}

/// A task runs the command that cron ran, at the times of cron.
private func check(_ task: CrontabTask, _ entry: Crontab.Entry) {
    let definition: TaskDefinition
    let context = ReadingContext(now: .now, zones: .none)
    do throws(Problems) { definition = try TaskDefinition(name: task.name, source: task.source, context) } catch { return }
    expect(definition.schedules.count == 1, "one schedule")
    guard entry.when != "@reboot", let zone = try? ZoneDatabase.none.zone(entry.settings.zone ?? "local"),
        let there = try? Recurrence.cron(entry.when, zone: zone, zones: .none, stableSeed: stableHash(task.name)),
        let here = definition.schedules.first
    else { return }
    let (one, other) = (there.next(after: .now, origin: .now), here.recurrence.next(after: .now, origin: .now))
    expect(one == other, "\(entry.when): cron's next is \(one?.rfc3339 ?? "never"), the task's \(other?.rfc3339 ?? "never")")
}

/// Texts of one crontab, one after another, each divided from the next by a zero byte, as a daemon reads them. Reading one after another
/// gives what reading it anew gives, and each line keeps what ``CrontabLines`` promises.
@Sendable func fuzzCrontabEdits(_ bytes: [UInt8]) {
    for user in ["root", nil] {
        let context = ReadingContext(now: .now, zones: .none)
        let reading = LiveCrontab.Reading(
            owner: "root", isRoot: true, catchUp: "none", isUser: { $0 == "root" },
            fault: { LiveCrontab.Reading.fault(of: $0, context) })
        var (known, lines) = (KnownLines(), CrontabLines())
        for text in bytes.split(separator: 0, maxSplits: 8, omittingEmptySubsequences: false) {
            let text = Array(text)
            let length = TabHeader.length(in: text)
            expect((0...text.count).contains(length) && (length == 0 || text[length - 1] == 0x0A), "a header is whole lines")
            let crontab = LiveCrontab(text, path: "/etc/crontab", user: user, reading, earlier: known)
            let anew = LiveCrontab(text, path: "/etc/crontab", user: user, reading)
            expect(tasks(of: crontab).elementsEqual(tasks(of: anew), by: ==), "an edit reads as the text alone")
            expect(crontab.faults.map(\.text) == anew.faults.map(\.text), "the same faults")
            let next = lines.reread(as: crontab, isTaken: { $0.utf8.count % 7 == 6 })
            let names = next.all.compactMap { $0.task?.name }
            expect(Set(names).count == names.count, "a name twice: \(names)")
            expect(next.all.map(\.number) == crontab.lines.map(\.number), "all lines, in their order")
            expect(next.names(missingIn: lines) == next.names.subtracting(lines.names), "the names that are new")
            // Equal lines keep their names, as many as there were and are.
            for (identity, before) in Dictionary(grouping: lines.all.filter { $0.fault == nil }, by: { $0.task?.identity }) {
                guard let identity else { continue }
                let after = next.all.filter { $0.task?.identity == identity && $0.fault == nil }
                let kept = Set(before.compactMap { $0.task?.name }).intersection(after.compactMap { $0.task?.name })
                expect(kept.count >= min(before.count, after.count), "\(identity) keeps \(kept) of \(before.count), \(after.count)")
            }
            expect(next.reread(as: anew, isTaken: { _ in true }).all == next.all, "nothing changes when the same is read again")
            (known, lines) = (crontab.known, next)
        }
    }
}

private func tasks(of crontab: LiveCrontab) -> [String] {
    crontab.lines.map { line in
        switch line {
        case .task(let task): "\(task.line) \(task.baseName) \(task.identity) \(task.source.bytes)"
        case .fault(let fault): "\(fault.line):\(fault.column): \(fault.message)"
        }
    }
}

/// A job of at: the first line is the name of its file, and the rest its content.
@Sendable func fuzzAtJob(_ bytes: [UInt8]) {
    let end = bytes.firstIndex(of: 0x0A) ?? bytes.endIndex
    guard let name = AtJob.Name(String(decoding: bytes[..<end], as: UTF8.self)) else { return }
    let text = Array(bytes[end...].dropFirst())
    do throws(AtJob.Refusal) {
        let job = try AtJob(name, text: text, owner: 0, user: bytes.count % 2 == 0 ? "alice" : nil, path: "/var/spool/cron/atjobs/a")
        let read: Value
        do throws(DocumentError) {
            read = try TOML.parse(job.source.bytes)
        } catch {
            fatalError("the file made from at's job cannot be read: \(error)")
        }
        guard case .table(let table) = read.kind, case .string(let script)? = table["script"]?.kind else {
            fatalError("the file made from at's job has no script")
        }
        expect(FileName.bytes(of: script) == text, "the script has the bytes of at's job")
    } catch { expect(!error.why.isEmpty, "a refusal says why") }
}
