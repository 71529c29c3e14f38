import Model
@testable import Simulation
import Store
import Testing

/// Somebody moved the directory of a run out of the spool, and the journal has forgotten the job. Then a power cut restores the
/// directory.
@Suite struct RestoredRunTests {
    private static let id = "20261121T020000.001Z-gone-abcdef"

    /// A spool whose machine stops, and that then has the directory of an unknown run.
    private func restored(status: String?, others: [String: String] = [:]) throws -> SimulatedWorld {
        let world = SimulatedWorld()
        try world.startDaemon()
        try world.turn()
        world.disk.makeAllDurable()
        var random = Random(1)
        world.cutPower(&random)
        for path in ["\(Layout.running)/\(Self.id)"] + others.keys { try world.disk.makeDirectory(path) }
        try world.disk.write("\(Layout.running)/\(Self.id)/job.toml", Array("command = 'true'\n".utf8))
        if let status { try world.disk.write("\(Layout.running)/\(Self.id)/\(Layout.statusFile)", Array(status.utf8)) }
        for (path, text) in others { try world.disk.write("\(path)/job.toml", Array(text.utf8)) }
        try world.startDaemon()
        try world.turn()
        return world
    }

    private static let running = """
        {"format": 2, "id": "\(id)", "name": "gone", "state": "running", "try": 1, "due": "2026-11-21T02:00:00.001Z",
         "created_at": "2026-11-21T02:00:00.001Z", "started_at": "2026-11-21T02:00:00.001Z", "changed_at": "2026-11-21T02:00:00.001Z"}
        """

    @Test("The run is lost and has its record, and does not run again")
    func itIsTakenUp() throws {
        let world = try restored(status: Self.running)
        #expect(!world.disk.exists("\(Layout.running)/\(Self.id)"))
        let bytes = try #require(world.disk.bytes("\(Layout.failed)/\(Self.id)/\(Layout.statusFile)"))
        #expect(String(decoding: bytes, as: UTF8.self).contains("\"lost\""))
        #expect(world.begun.isEmpty)
    }

    @Test("A directory that does not name its job is set aside", arguments: [nil, "", "{\"id\": \"other\"}"])
    func itIsSetAside(status: String?) throws {
        let world = try restored(status: status)
        #expect(!world.disk.exists("\(Layout.running)/\(Self.id)") && !world.disk.exists("\(Layout.failed)/\(Self.id)"))
        #expect(world.disk.bytes("\(Layout.lostAndFound)/\(Layout.running)-\(Self.id)/job.toml") == Array("command = 'true'\n".utf8))
    }

    @Test("A run whose record exists has ended") func aRecordDecides() throws {
        let record = "\(Layout.done)/\(Self.id)"
        let world = try restored(status: Self.running, others: [record: "command = 'true'\n"])
        #expect(world.disk.exists(record) && !world.disk.exists("\(Layout.failed)/\(Self.id)"))
        #expect(world.service?.scheduler.jobs.isEmpty ?? false)
    }
}
