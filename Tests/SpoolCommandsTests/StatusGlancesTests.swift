import Glibc
import Recurrence
import TestSupport
import Testing

import Store

@testable import SpoolCommands

/// Looks at many statuses by several threads.
@Suite struct StatusGlancesTests {
    @Test("Each record gets its own answer, and one that cannot be looked at stays possible", arguments: [1, 7])
    func answers(step: Int) throws {
        let path = try makeTemporaryDirectory(in: "/tmp", "spoold-glances")
        defer { try? Directory.open("/tmp").removeTree(String(path.dropFirst(5))) }  // litter
        let spool = try Directory.open(path)
        try spool.makeDirectory("done")
        let done = try spool.openDirectory("done")
        var expected: [String: Bool] = [:]
        for number in 0..<3000 {
            let id = "20261101T000000.000Z-job-\(1_000_000 + number)"
            try done.makeDirectory(id)
            let isWanted = number % 3 == 0
            switch number % 100 {
            case 98: break
            case 99: try done.makeSymbolicLink("\(id)/status.json", to: "/dev/null")
            default: try done.writeFile("\(id)/status.json", Array("{\"task\":\"\(isWanted ? "wanted" : "other")\"}".utf8))
            }
            expected[id] = isWanted || number % 100 >= 98
        }
        var records = JobRecords(try DiskFileSystem(path: path), ReadingContext(now: Instant(milliseconds: 0), zones: ZoneDatabase()))
        let places = try records.places(in: [.done])
        var needles = StatusNeedles()
        needles.add(anyOf: ["wanted"])
        var glances = StatusGlances(needles.mayBe)
        for index in stride(from: 0, to: places.count, by: step) {
            #expect(glances.mayBe(index, of: places, records.fs) == expected[places[index].id], "\(places[index].id)")
        }
        #expect(places.count == 3000)
    }
}
