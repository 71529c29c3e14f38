import Foundation
import Testing

@testable import Model

/// spool(5) and spoold.toml(5) know the keys that the programs know.
@Suite struct Manual {
    static func page(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("man/\(name)"), encoding: .utf8)
    }

    @Test("Every key of a job has its entry", arguments: JobDefinition.keys)
    func jobKeys(_ key: String) throws {
        #expect(try Self.page("spool.5").contains("\n.It Va \(key)\n"))
    }

    @Test("Every key of a schedule has its entry", arguments: ScheduleDefinition.keys)
    func scheduleKeys(_ key: String) throws {
        let page = try Self.page("spool.5")
        let entries = page.split(separator: "\n").filter { $0.hasPrefix(".It Va ") || $0.hasPrefix(".Va ") }
        #expect(entries.contains { $0.split(separator: " ").contains(Substring(key)) })
    }

    @Test("The lists of keys are those that are read")
    func keysAreKnown() throws {
        let context = ReadingContext(now: Instant(milliseconds: 0), zones: ZoneDatabase())
        for key in JobDefinition.keys where key != "task" {
            var table = Table()
            table.set(key, Value(.null))
            do throws(Problems) { _ = try JobDefinition.read(table, context) } catch {
                #expect(!error.all.contains { $0.message.contains("unknown key") }, "\(key): \(error)")
            }
        }
    }
}
