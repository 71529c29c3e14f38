import Glibc
import TestSupport
import Testing

@testable import Store

/// Readers show a dropped file, before the daemon has read it, as the daemon will read it.
@Suite struct DroppedFileTests {
    static let files: [(String, String, mode_t)] =
        IntakeTests.files.filter { !Name.isUnfinished($0.0) && $0.3 != "not yet" }.map { ($0.0, $0.1, $0.2) } + [
            ("of-task.toml", "task = \"backup\"\npriority = 7\n", 0o600),
            ("20261121T015900.000Z-x-abcd.json", #"{"task": "backup", "start": "2030-01-01T00:00:00Z"}"#, 0o600),
            // A time in a name counts only when it is not in the future.
            ("29991121T015900.000Z-x-abcd.toml", "command = \":\"", 0o600),
            ("missing.toml", "description = \"d\"\ntask = \"nobody\"", 0o600),
            ("outside.toml", "task = \"../tasks/backup\"", 0o600),
            ("both.json", #"{"task": "backup", "command": ":"}"#, 0o600),
        ]

    /// An instant later than the changes of these files.
    private static let context = ReadingContext(now: instant("2035-01-01T00:00:00.000Z"), zones: zones)

    @Test("A reader shows a file as the job that the daemon makes of it, or with the same error", arguments: files)
    func agree(file: String, text: String, mode: mode_t) throws {
        let temporary = try TemporarySpool()
        let task = "command = \"tar\"\nqueue = \"slow\"\npriority = 1\n[[schedule]]\nevery = \"1h\"\n"
        try temporary.write("tasks/backup.toml", task)
        try temporary.write("new/\(file)", text, mode: mode)
        var records = JobRecords(try temporary.disk(), Self.context)
        let place = try #require(try records.places(in: [.new]).first)
        let shown = try #require(try records.record(at: place)).status
        let backup = try TaskDefinition(name: "backup", source: source(task), Self.context)
        switch try temporary.spool().intake(file, Self.context, isTaken: { _ in nil }, task: { $0 == "backup" ? backup : nil }) {
        case .job(let job):
            #expect(shown.error == nil)
            #expect(shown.name == job.name && shown.task == job.task)
            #expect(shown.due == job.due && shown.notBefore == job.notBefore)
            #expect(shown.queue == job.definition.queue && shown.priority == job.definition.priority)
            #expect(JobID(place.id) == nil || place.id == job.id.text)
        case .rejected(let rejected): #expect(shown.error == rejected.error)
        case let other: Issue.record("\(other)")
        }
    }
}
