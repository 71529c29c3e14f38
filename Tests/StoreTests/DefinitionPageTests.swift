import Glibc
import TestSupport
import Testing

@testable import Store

/// A page of many definitions is the same as if all names were sorted.
@Suite struct DefinitionPageTests {
    /// Names whose order is not that of their files, as `a-b` before `a.b`, and some with two files.
    private static let files: [String] = {
        var files: [String] = []
        var state: UInt64 = 1
        for number in 0..<12_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let name = String(state >> 40, radix: 7)
            files.append("\(number % 2 == 0 ? "a-" : "a")\(name)-\(number).toml")
            if number % 50 == 0 { files.append("\(number % 2 == 0 ? "a-" : "a")\(name)-\(number).json") }
        }
        return files
    }()

    @Test("The first names, some in the middle, the last, and none")
    func pages() throws {
        let temporary = try TemporarySpool()
        let tasks = try Directory.open("\(temporary.path)/tasks")
        for file in Self.files { try tasks.writeFile(file, []) }
        let all = Dictionary(grouping: Self.files, by: Layout.stem(of:)).mapValues { $0.sorted() }.sorted { $0.key < $1.key }
        let spool = try temporary.spool()
        for (offset, limit) in [(0, 3), (7, 1), (300, 120), (all.count - 2, 10), (5000, 5000), (0, Int.max), (all.count + 5, 3)] {
            let page = try spool.definitionPage(in: Layout.tasks, skipping: offset, atMost: limit)
            let wanted = all.dropFirst(offset).prefix(limit)
            #expect(page.files.map(\.stem) == wanted.map(\.key), "\(offset) \(limit)")
            #expect(page.files.map { $0.files.sorted() } == wanted.map(\.value), "\(offset) \(limit)")
            #expect(page.skipped == min(offset, all.count), "\(offset) \(limit)")
            let rest = all.count - page.skipped - page.files.count
            #expect(page.isRestLeast ? page.rest <= rest && page.rest >= DefinitionPage.lookedAtMax : page.rest == rest)
        }
    }

    @Test("Others' files are not in it, however many come first", .enabled(if: geteuid() == 0, "only root can make others' files"))
    func foreign() throws {
        let temporary = try TemporarySpool()
        let tasks = try Directory.open("\(temporary.path)/tasks")
        for file in Self.files {
            try tasks.writeFile(file, [])
            let path = "\(temporary.path)/tasks/\(file)"
            if !file.hasPrefix("a-6") { #expect(chown(path, 65534, 65534) == 0) }
        }
        // A spool for everybody, where it counts whose a file is.
        try Directory.open(temporary.path).makeDirectory(Layout.users)
        let own = Set(Self.files.filter { $0.hasPrefix("a-6") }.map { Layout.stem(of: $0) }).sorted()
        let spool = try temporary.spool()
        #expect(spool.fs.hasForeign)
        let page = try spool.definitionPage(in: Layout.tasks, skipping: 2, atMost: 5)
        #expect(page.files.map(\.stem) == Array(own[2..<7]))
    }
}
