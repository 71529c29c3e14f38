import LiveView
import Store
import TestSupport
import Testing

@Suite("Parts of the live view")
struct PartTests {
    static let widths: [(text: String, width: Int, cut: String)] = [
        ("plain", 5, "plain"), ("plainer", 7, "plai…"), ("漢字漢", 6, "漢字…"), ("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}"),
        ("ééééé", 5, "ééééé"), ("🚀🚀🚀", 6, "🚀🚀…"), ("", 0, ""),
    ]

    @Test("Text is as wide as terminals make it, and cut to five columns", arguments: widths)
    func columns(_ row: (text: String, width: Int, cut: String)) {
        #expect(Columns.width(row.text) == row.width)
        #expect(Columns.cut(row.text, to: 5) == row.cut)
        #expect(Columns.width(Columns.fitted(row.text, to: 5)) == 5)
        #expect(Columns.cut(row.text, to: 0) == "")
    }

    @Test("A screen gets only the changed lines, without colours where there are none")
    func screen() {
        var line = StyledLine("a")
        line.add("b", .red)
        let size = ScreenSize(columns: 3, rows: 2)
        var screen = Screen(hasColour: true)
        #expect(screen.update(to: [line, "xyz"], size) == "\u{1B}[2J\u{1B}[1;1Ha\u{1B}[31mb\u{1B}[0m\u{1B}[K\u{1B}[2;1Hxyz")
        #expect(screen.update(to: [line, "xyz"], size) == "")
        #expect(screen.update(to: [line], size) == "\u{1B}[2;1H\u{1B}[K")
        screen.forget()
        #expect(screen.update(to: [line], size).hasPrefix("\u{1B}[2J"))
        #expect(screen.update(to: [line, "xyz"], ScreenSize(columns: 1, rows: 1)) == "\u{1B}[2J\u{1B}[1;1Ha")
        var plain = Screen(hasColour: false)
        #expect(plain.update(to: [line], size) == "\u{1B}[2J\u{1B}[1;1Hab\u{1B}[K")
    }

    @Test("Rates count the last minute and hour, and know when they will become less")
    func rates() {
        var rates = EndRates()
        #expect(rates.changes(after: now) == nil)
        for seconds in [0, -1, -59, -60, -3599, -3600] { rates.add(at: after(Int64(seconds)), isFailure: seconds == -1) }
        #expect(rates.count(seconds: EndRates.minuteSeconds, now: now) == .init(ended: 3, failed: 1))
        #expect(rates.count(seconds: EndRates.hourSeconds, now: now) == .init(ended: 5, failed: 1))
        #expect(rates.changes(after: now) == after(1))
        #expect(rates.count(seconds: EndRates.minuteSeconds, now: after(1)) == .init(ended: 2, failed: 1))
    }

    @Test("A window keeps the first of many names while names are added and removed", arguments: [1, 2, 3, 4] as [UInt64])
    func window(_ seed: UInt64) {
        var generator = Generator(state: seed)
        var window = NameWindow(least: 5, limit: 20)
        var names: Set<String> = []
        window.replaceAll((0..<50).map { ("n\(100 + $0 * 7 % 50)", false) })
        for number in 0..<50 { names.insert("n\(100 + number)") }
        for _ in 0..<3000 {
            let name = "n\(Int.random(in: 100..<200, using: &generator))"
            if Bool.random(using: &generator) {
                names.insert(name)
                window.insert(name, isDirectory: true)
            } else {
                names.remove(name)
                window.remove(name)
            }
            #expect(window.count == names.count)
            #expect(window.first.count >= min(5, names.count) && window.first.count <= 20)
            #expect(window.first == Array(names.sorted().prefix(window.first.count)))
        }
    }

    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ (state >> 29)
        }
    }

    @Test("A log page keeps the end in sight, scrolls, and shows text alone")
    func log() {
        let size = ScreenSize(columns: 40, rows: 5)
        var page = LogPage(id: "x")
        page.remark = "nothing yet"
        #expect(page.lines(size)[1].text == "nothing yet")
        page.take(Array("one\ntwo\nthr".utf8))
        page.take(Array("ee\n\u{1B}[31mred\u{1B}[0m\ta\u{7}\r\nhalf \u{E4}".utf8.dropLast()))
        #expect(page.lines(size)[1...3].map(\.text) == ["three", "red     a\\x07", "half "])
        page.take([0xA4])
        #expect(page.lines(size)[3].text == "half ä")
        let isOpen = page.take(.up, page: 3)
        #expect(isOpen && page.lines(size)[1].text == "two")
        page.take(Array("\nmore".utf8))
        #expect(page.lines(size)[1].text == "two", "who has scrolled up keeps what he sees")
        _ = page.take(.end, page: 3)
        #expect(page.lines(size)[3].text == "more")
        let isClosed = !page.take(.character("q"), page: 3)
        #expect(isClosed)
    }

    @Test("A log page keeps the last lines of a long output")
    func longLog() {
        var page = LogPage(id: "x")
        page.take(Array(String(repeating: "a", count: 100_000).utf8))
        for number in 0..<30_000 { page.take(Array("\n\(number)".utf8)) }
        #expect(page.lines(ScreenSize(columns: 20, rows: 4)).map(\.text)[1...2] == ["29998", "29999"])
    }
}
