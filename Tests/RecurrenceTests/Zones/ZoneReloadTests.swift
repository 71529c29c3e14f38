import Foundation
import Testing

@testable import Recurrence

/// A time-zone database that changes on disk.
@Suite final class ZoneReloadTests {
    private let root = FileManager.default.temporaryDirectory.appendingPathComponent("zones-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: root.appendingPathComponent("db/Test"), withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(at: root) }  // litter in the temporary directory

    private var database: ZoneDatabase { ZoneDatabase(directories: [root.appendingPathComponent("db").path]) }

    /// A zone of one offset, by RFC 8536: version 1, one local time type, no transitions.
    private func write(_ name: String, hours: Int) throws {
        func big(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
        var bytes = Array("TZif".utf8) + [UInt8](repeating: 0, count: 16)
        for count in [0, 0, 0, 0, 1, 4] { bytes += big(count) }
        bytes += big(hours * 3600) + [0, 0] + Array("TST\0".utf8)
        try Data(bytes).write(to: root.appendingPathComponent(name), options: .atomic)
    }

    @Test func aChangedFileMakesANewZoneAndAnUnchangedOneNone() throws {
        let database = database
        try write("db/Test/A", hours: 1)
        try write("db/Test/B", hours: 1)
        let a = try database.zone("Test/A")
        let b = try database.zone("Test/B")
        try write("db/Test/A", hours: 2)
        try write("db/Test/B", hours: 1)
        let (changes, failures) = database.reload()
        #expect(changes.count == 1 && failures.isEmpty)
        #expect(changes[0].old === a && changes[0].new.offset(at: Instant(milliseconds: 0)).seconds == 7200)
        #expect(try database.zone("Test/A") === changes[0].new && database.zone("Test/B") === b)
        // The old zone object stays unchanged.
        #expect(a.offset(at: Instant(milliseconds: 0)).seconds == 3600)
        #expect(database.reload().changes.isEmpty)
    }

    @Test(arguments: ["gone", "damaged", "empty"])
    func aZoneThatCannotBeReadAnyMoreStaysAsItWas(what: String) throws {
        let database = database
        try write("db/Test/A", hours: 1)
        let zone = try database.zone("Test/A")
        let file = root.appendingPathComponent("db/Test/A")
        switch what {
        case "gone": try FileManager.default.removeItem(at: file)
        case "damaged": try Data("TZif2 and what is no zone".utf8).write(to: file)
        default: try Data().write(to: file)
        }
        let (changes, failures) = database.reload()
        #expect(changes.isEmpty && failures.map(\.name) == ["Test/A"])
        #expect(try database.zone("Test/A") === zone)
        try write("db/Test/A", hours: 3)
        #expect(database.reload().changes.first?.old === zone)
    }

    @Test func theFilesThatDecideAreTheNamesOnTheWayAndWhatLinksPointTo() throws {
        let database = database
        let db = root.appendingPathComponent("db").path
        #expect(database.files.isEmpty && database.count == 0)
        _ = try database.zone("UTC")
        #expect(database.files.isEmpty)
        try write("db/Test/A", hours: 1)
        try FileManager.default.createSymbolicLink(atPath: "\(db)/Test/Link", withDestinationPath: "../Other")
        try FileManager.default.createSymbolicLink(atPath: "\(db)/Other", withDestinationPath: "\(db)/Test/A")
        _ = try database.zone("Test/Link")
        #expect(database.count == 1)
        #expect(database.files == [db, "\(db)/Test", "\(db)/Test/Link", "\(db)/Test/../Other", "\(db)/Test/A"])
    }

    @Test func linksInACircleEnd() throws {
        let db = root.appendingPathComponent("db").path
        try FileManager.default.createSymbolicLink(atPath: "\(db)/a", withDestinationPath: "b")
        try FileManager.default.createSymbolicLink(atPath: "\(db)/b", withDestinationPath: "a")
        #expect(ZoneFiles.steps(from: "\(db)/a").count < 100)
        #expect(throws: RecurrenceError.self) { try database.zone("a") }
    }
}
