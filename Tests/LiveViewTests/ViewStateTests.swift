import LiveView
import Store
import TestSupport
import Testing

@Suite("Keys and their actions")
struct ViewStateTests {
    static let bytes: [(bytes: [UInt8], keys: [Key])] = [
        (Array("jK/".utf8), [.character("j"), .character("K"), .character("/")]),
        (Array("\u{1B}[A\u{1B}OB\u{1B}[Z".utf8), [.up, .down, .backTab]),
        (Array("\u{1B}[5~\u{1B}[6~\u{1B}[1~\u{1B}[F".utf8), [.pageUp, .pageDown, .home, .end]),
        ([9, 13, 10, 127, 8], [.tab, .enter, .enter, .backspace, .backspace]),
        (Array("é漢".utf8), [.character("é"), .character("漢")]), ([0xFF, 0xC3, 0x28, 0x61], [.character("("), .character("a")]),
        (Array("\u{1B}[1;5C\u{1B}[200~x".utf8), [.character("x")]), (Array("\u{1B}q".utf8), [.escape, .character("q")]), ([1, 2, 3], []),
    ]

    @Test("Bytes of a terminal become keys, however they are cut", arguments: bytes)
    func keys(_ row: (bytes: [UInt8], keys: [Key])) {
        var reader = KeyReader()
        #expect(reader.take(row.bytes) == row.keys)
        var slow = KeyReader()
        #expect(row.bytes.flatMap { slow.take([$0]) } == row.keys)
        #expect(!slow.isPending)
    }

    @Test("Escape alone is a key when nothing follows; an endless sequence is dropped")
    func escape() {
        var reader = KeyReader()
        #expect(reader.take([0x1B]) == [] && reader.isPending)
        #expect(reader.flush() == [.escape] && !reader.isPending)
        #expect(reader.take(Array("\u{1B}[".utf8) + Array(repeating: 0x31, count: 40)) == [] && !reader.isPending)
    }

    func actions(_ keys: [Key], _ state: inout ViewState, _ snapshot: Snapshot = example()) -> [ViewAction] {
        keys.compactMap { state.take($0, snapshot) }
    }

    static let acts: [(keys: String, actions: [ViewAction])] = [
        ("q", [.quit]), ("cy", [.cancel(id("backup", 0))]), ("cn", []), ("jKy", [.kill(id("report", 1))]),
        ("jjjjkcy", [.cancel(id("backup", 0))]),
        ("2cy", [.cancel(id("first", 4))]), ("2Ky", []), ("4r", [.retry(id("good", 5))]), ("4jr", [.retry(id("bad", 6))]), ("1r", []),
        ("3c", []),
        ("l", [.follow(id("backup", 0))]), ("3l", []), ("pa", [.pause(.all, of: nil)]), ("pu", [.pause(.queue("disk"), of: nil)]),
        ("pn", []), ("pq", []),
        ("3pt", [.resume(.task("nightly"), of: nil)]), ("?q", []), ("sl", [.follow(id("backup", 0))]), ("ssl", [.follow(id("backup", 0))]),
        ("4sssl", [.follow(id("bad", 6))]),
        ("2sl", [.follow(id("copy", 2))]), ("gGl", [.follow(id("report", 1))]),
    ]

    @Test("Keys select, ask and act", arguments: acts)
    func act(_ row: (keys: String, actions: [ViewAction])) {
        var state = ViewState()
        #expect(actions(row.keys.map { .character($0) }, &state) == row.actions, "\(row.keys)")
    }

    @Test("The filter finds names, ids and tags in any case, and Esc clears it", arguments: [
        ("REPORT", "report"), ("-1001", "report"), ("Month", "report"), ("back", "backup"), ("nothing", nil),
    ])
    func filter(_ text: String, _ found: String?) {
        var state = ViewState()
        _ = actions([.character("/")] + text.map { .character($0) } + [.enter], &state)
        let follow = actions([.enter], &state)
        #expect(follow == (found.map { [.follow(id($0, $0 == "report" ? 1 : 0))] } ?? []))
        _ = actions([.escape], &state)
        #expect(actions([.enter], &state) == [.follow(id("backup", 0))])
    }

    @Test("The selection stays with its job while others come and go, and in its place when it is gone")
    func selection() {
        var state = ViewState()
        var snapshot = example()
        _ = actions([.character("j")], &state, snapshot)
        snapshot.running.insert(.init(status: status("earlier", 8) { $0.state = .running; $0.startedAt = after(-1000) }), at: 0)
        #expect(actions([.enter], &state, snapshot) == [.follow(id("report", 1))])
        snapshot.running.removeAll { $0.status.name == "report" }
        #expect(actions([.enter], &state, snapshot) == [.follow(id("backup", 0))])
        snapshot.running = []
        #expect(actions([.enter, .character("c"), .down], &state, snapshot) == [])
    }

    @Test("A confirmed action applies to the job in the question, even if another one is selected by then")
    func question() {
        var state = ViewState()
        var snapshot = example()
        _ = actions([.character("c")], &state, snapshot)
        snapshot.running.removeFirst()
        #expect(actions([.character("y")], &state, snapshot) == [.cancel(id("backup", 0))])
    }
}
