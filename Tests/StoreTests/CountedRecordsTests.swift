import Documents
import Testing
import TestSupport

@testable import Store

/// The number of records that a task keeps.
struct CountedRecordsTests {
    private let now = instant("2026-11-21T02:00:00.000Z")

    private func id(_ number: Int, name: String = "t") -> JobID {
        JobID(instant: now.advanced(byMilliseconds: Int64(number)), name: name, unique: 0)
    }

    private func place(_ id: JobID, _ disk: DiskFileSystem, _ state: JobState = .done, task: String? = "t") throws {
        try disk.makeDirectory("\(state.rawValue)/\(id)")
        let text = task.map { "{\"task\":\"\($0)\"}" } ?? "{\"task\":null}"
        try disk.create("\(state.rawValue)/\(id)/status.json", Array(text.utf8), mode: 0o600)
    }

    private func walk(_ counted: inout CountedRecords, _ disk: DiskFileSystem) throws {
        while counted.hasWork {
            // A removal that fails shows in the names that are left.
            for failed in try counted.step(disk, remove: { try? disk.removeTree($0) }) { throw failed.error }
        }
    }

    private func left(_ temporary: TemporarySpool) throws -> [String] { try temporary.names("done") + temporary.names("failed") }

    @Test func theLatestRecordsOfATaskAreKept() throws {
        let temporary = try TemporarySpool()
        let disk = try temporary.disk()
        try place(id(0, name: "t-2"), disk, task: "t-2")
        try place(id(0), disk, task: nil)
        var counted = CountedRecords()
        for number in 1..<7 {
            let state: JobState = number % 2 == 0 ? .done : .failed
            try place(id(number), disk, state)
            try counted.add(id(number), state, of: "t", keeping: 2, disk) { try? disk.removeTree($0) }  // as above
            if number == 4 { try walk(&counted, disk) }
        }
        #expect(try left(temporary).sorted() == [id(0, name: "t-2"), id(0), id(5), id(6)].map(\.text).sorted())
    }

    @Test("One walk finds the records of all tasks of which a job has ended")
    func oneWalkForAll() throws {
        let temporary = try TemporarySpool()
        let disk = try temporary.disk()
        var counted = CountedRecords()
        let tasks = (0..<20).map { "t\($0)" }
        for number in 0..<5 { for task in tasks { try place(id(number, name: task), disk, task: task) } }
        for task in tasks { try counted.add(id(4, name: task), .done, of: task, keeping: 2, disk) { try? disk.removeTree($0) } }
        var steps = 0
        while counted.hasWork {
            steps += 1
            _ = try counted.step(disk) { try? disk.removeTree($0) }  // see the names that are left
        }
        #expect(try left(temporary).sorted() == tasks.flatMap { [id(3, name: $0).text, id(4, name: $0).text] }.sorted())
        // 32 of the 100 records in each step.
        #expect(steps == 4)
    }

    @Test("A job that ends during the walk counts once", arguments: [false, true])
    func endsDuringTheWalk(isListed: Bool) throws {
        let temporary = try TemporarySpool()
        let disk = try temporary.disk()
        var counted = CountedRecords()
        // More records than one step reads.
        for number in 0..<40 { try place(id(number), disk) }
        if isListed { try place(id(40), disk) }
        try counted.add(id(39), .done, of: "t", keeping: 3, disk) { try? disk.removeTree($0) }  // see the names that are left
        _ = try counted.step(disk) { try? disk.removeTree($0) }  // as above
        #expect(counted.hasWork)
        if !isListed { try place(id(40), disk) }
        try counted.add(id(40), .done, of: "t", keeping: 3, disk) { try? disk.removeTree($0) }  // as above
        try walk(&counted, disk)
        #expect(try left(temporary) == [id(38), id(39), id(40)].map(\.text))
    }

    @Test("A record that was removed, or that ended twice, does not reduce the number of kept records", arguments: [false, true])
    func theCountIsOfRecordsThatAreThere(removed: Bool) throws {
        let temporary = try TemporarySpool()
        let disk = try temporary.disk()
        var counted = CountedRecords()
        let ids = (0..<4).map { id($0) }
        func end(_ id: JobID) throws {
            if try disk.status("done/\(id)") == nil { try place(id, disk) }
            try counted.add(id, .done, of: "t", keeping: 3, disk) { try? disk.removeTree($0) }  // see the names that are left
            try walk(&counted, disk)
        }
        for id in ids[..<3] { try end(id) }
        if removed { try disk.removeTree("done/\(ids[1])") } else { try end(ids[1]) }
        try end(ids[3])
        let left = removed ? [ids[0], ids[2], ids[3]] : [ids[1], ids[2], ids[3]]
        #expect(try temporary.names("done") == left.map(\.text))
    }
}
