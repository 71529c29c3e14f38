import Foundation
import TestSupport
import Testing

@testable import Model

/// spool(5) and spoold.toml(5) describe the keys that the programs read.
@Suite struct ManualTests {
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

    @Test("Every key of a task has its entry", arguments: TaskDefinition.keys)
    func taskKeys(_ key: String) throws {
        let page = try Self.page("spool.5")
        #expect(page.contains(key == "schedule" ? "\n.Ql [[schedule]]\n" : "\n.It Va \(key)\n"))
    }

    @Test("Every key of the configuration has its entry in the manual and is in the example", arguments: Configuration.keys)
    func configurationKeys(_ key: String) throws {
        let page = try Self.page("spoold.toml.5")
        #expect(page.contains("\n.It Va \(key)\n") || page.contains("\n.It Va \(key). Ns "))
        #expect(try Self.page("../etc/spoold.toml").contains(key))
    }

    /// The text of a section.
    static func section(_ name: String, of page: String) throws -> String {
        let text = try Self.page(page)
        let start = try #require(text.range(of: "\n.Ss \(name)\n") ?? text.range(of: "\n.Sh \(name)\n"), "\(name)")
        let rest = text[start.upperBound...]
        return String(rest[..<(rest.range(of: "\n.S[sh] ", options: .regularExpression)?.lowerBound ?? rest.endIndex)])
    }

    @Test("Every field of status.json has its entry, and so has every reason and every state")
    func status() throws {
        let section = try Self.section("status.json", of: "spool.5")
        var status = JobStatus(id: "20261121T020000.000Z-a-k3f9", name: "a", due: now, createdAt: now, host: "h")
        status.usage = Usage(wallMilliseconds: 1, userMilliseconds: 1, systemMilliseconds: 1, maxRSSBytes: 1)
        status.progress = Progress(fraction: 0.5, message: "m", at: now)
        guard case .table(let table) = try JSON.parse(status.json()).kind else { return #expect(Bool(false), "no object") }
        let entries = section.split(separator: "\n").filter { $0.hasPrefix(".It Va ") }.flatMap { $0.dropFirst(7).split(separator: " ") }
        #expect(table.entries.map(\.key).filter { !entries.contains(Substring($0)) } == [])
        for case .table(let inner) in table.entries.map(\.value.kind) {
            #expect(try inner.entries.map(\.key).filter { try !Self.page("spool.5").contains($0) } == [])
        }
        #expect(FailureReason.allCases.map(\.rawValue).filter { !section.contains("\n.It Ql \($0)\n") } == [])
        #expect(JobState.allCases.map(\.rawValue).filter { !section.contains($0) } == [])
    }

    @Test("The lists of keys have exactly the keys that are read")
    func keysAreKnown() throws {
        let context = ReadingContext(now: Instant(milliseconds: 0), zones: ZoneDatabase())
        for key in JobDefinition.keys where key != "task" {
            var table = Table()
            table.set(key, Value(.null))
            do throws(Problems) { _ = try JobDefinition.read(table, context) } catch {
                #expect(!error.all.contains { $0.message.contains("unknown key") }, "\(key): \(error)")
            }
        }
        for key in TaskDefinition.keys {
            let source = Source(format: .json, bytes: Array("{\"\(key)\": null}".utf8))
            do throws(Problems) { _ = try TaskDefinition(name: "t", source: source, context) } catch {
                #expect(
                    !error.all.contains { $0.message.contains("unknown key") || $0.message.contains("is a key of jobs") },
                    "\(key): \(error)")
            }
        }
        for key in Configuration.keys {
            do throws(Problems) { _ = try Configuration(Array("\(key) = {}".utf8), zones: ZoneDatabase(), now: context.now) } catch {
                #expect(!error.all.contains { $0.message.contains("unknown key") }, "\(key): \(error)")
            }
        }
    }
}
