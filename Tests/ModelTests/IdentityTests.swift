import Model
import Testing

@Suite struct Names {
    static let valid = ["a", "backup", "A.b_c-9", "_", "9", "a..b", "a-", String(repeating: "x", count: 64)]
    static let invalid = [
        "", ".", "..", ".a", "-", "-a", "a b", "a/b", "../a", "a\n", "a\0", "é", "a\u{301}", "🦊", "a:b", "a\\", "a*",
        "$(x)", String(repeating: "x", count: 65),
    ]

    @Test(arguments: valid) func lettersDigitsDotsDashesAndUnderscoresMakeAName(text: String) {
        #expect(Name.isValid(text))
        #expect(Name.sanitized(text) == text)
    }

    @Test(arguments: invalid) func anythingElseIsNone(text: String) {
        #expect(!Name.isValid(text))
        #expect(Name.isValid(Name.sanitized(text)), "\(Name.sanitized(text))")
    }

    static let sanitized = [
        ("", "job"), ("...", "job"), ("-rf", "rf"), (".-.-x", "x"), ("a b", "a_b"), ("a/../b", "a_.._b"), ("é", "__"),
        ("x\n\0y", "x__y"), (" ", "_"), (String(repeating: "y", count: 255), String(repeating: "y", count: 64)),
    ]

    @Test(arguments: sanitized) func aFileOfAnyNameGivesAName(file: String, name: String) {
        #expect(Name.sanitized(file) == name)
    }

    static let files = [
        (".hidden", true), ("a~", true), ("a.toml.tmp", true), ("a.part", true), (".a.swp", true), ("a.lock", true),
        ("a.toml", false), ("~a", false), ("tmp", false), ("a.tmp.toml", false), ("a.parts", false), ("", false),
    ]

    @Test(arguments: files) func workInProgressIsToldByItsName(file: String, isUnfinished: Bool) {
        #expect(Name.isUnfinished(file) == isUnfinished)
    }
}

@Suite struct JobIDs {
    static let valid = [
        "20261121T020000.000Z-backup-k3f9", "20261121T020000.000Z-backup-k3f9ab", "00000000T000000.000Z-a-0000",
        "20261121T020000.000Z-a-b-c-0000", "20261121T020000.000Z-a.b_c-zzzz", "20261121T020000.000Z-a--0000",
        "20261121T020000.000Z-\(String(repeating: "x", count: 64))-0123456789abcdef",
    ]
    static let invalid = [
        "", "backup", "20261121T020000.000Z", "20261121T020000.000Z-", "20261121T020000.000Z-k3f9",
        "20261121T020000.000Z--k3f9", "20261121T020000.000Z-backup-k3f", "20261121T020000.000Z-backup-k3fl",
        "20261121T020000.000Z-backup-K3F9", "20261121T020000.000Z-backup-", "20261121T020000.000Z-.a-k3f9",
        "20261121T020000.000Z--a-k3f9", "20261121T020000.000Z-a/b-k3f9", "20261121T020000.000Z-a b-k3f9",
        "20261121T020000.000Z-é-k3f9", "20261121T020000Z-backup-k3f9", "20261121t020000.000z-backup-k3f9",
        "2026-11-21T02:00:00.000Z-backup-k3f9", "２0261121T020000.000Z-backup-k3f9", " 20261121T020000.000Z-a-k3f9",
        "20261121T020000.000Z-a-k3f9\n", "20261121T020000.000Z-a-k3f9.toml", "../../../../../../../../etc/passwd-aaaa",
        "20261121T020000.000Z-a\0b-k3f9", "20261121T020000.000Z-\(String(repeating: "x", count: 65))-0000",
        "20261121T020000.000Z-a-\(String(repeating: "0", count: 200))", String(repeating: "0", count: 5000),
    ]

    @Test(arguments: valid) func whatHasTheFormOfAnIDIsOne(text: String) {
        #expect(JobID(text)?.text == text)
    }

    @Test(arguments: invalid) func hostileNamesAreNoIDs(text: String) { #expect(JobID(text) == nil) }

    @Test func anIDSaysWhenAndWhat() {
        let id = JobID(instant: now, name: "backup", unique: 0)
        #expect(id.text == "20261121T020000.000Z-backup-000000")
        #expect("\(id)" == id.text)
        #expect(JobID(instant: now, name: "a", suffix: "k3f9").text == "20261121T020000.000Z-a-k3f9")
    }

    @Test func idsSortByTime() {
        var random = SeededGenerator(seed: 7)
        for _ in 0..<500 {
            let a = Instant(milliseconds: Int64.random(in: 0..<7_258_118_400_000, using: &random))
            let b = Instant(milliseconds: Int64.random(in: 0..<7_258_118_400_000, using: &random))
            let first = JobID(instant: a, name: "z", unique: random.next())
            let second = JobID(instant: b, name: "a", unique: random.next())
            if a != b { #expect((first < second) == (a < b), "\(first) \(second)") }
        }
    }

    @Test func oneDueTimeIsOneID() {
        let id = JobID(task: "backup", schedule: "k3f9ab", due: now)
        #expect(id == JobID(task: "backup", schedule: "k3f9ab", due: now))
        #expect(JobID(id.text) == id)
        #expect(id.text.hasPrefix("20261121T020000.000Z-backup-"))
        // It stays the same in every version: a restart after an upgrade must not run a due time again.
        #expect(id.text == "20261121T020000.000Z-backup-\(Base32.encode(stableHash("backup\0k3f9ab\0\(now.milliseconds)"), characters: 6))")
        #expect(stableHash("") == 0xefd0_1f60_ba99_2926)
        #expect(id != JobID(task: "backup", schedule: "k3f9ac", due: now))
        #expect(id != JobID(task: "backup", schedule: "k3f9ab", due: now.advanced(byMilliseconds: 1)))
        // The parts are kept apart.
        #expect(JobID(task: "a", schedule: "b", due: now) != JobID(task: "a", schedule: "b0", due: now))
    }

    @Test func submissionsOfOneMillisecondDiffer() {
        var seen = Set<JobID>()
        for unique in 0..<10_000 { seen.insert(JobID(instant: now, name: "a", unique: stableHash("\(unique)"))) }
        #expect(seen.count > 9_990)
    }

    static let base32: [(UInt64, Int, String)] = [
        (0, 4, "0000"), (31, 4, "000z"), (32, 4, "0010"), (UInt64.max, 13, "fzzzzzzzzzzzz"), (0xFFFFF, 4, "zzzz"),
    ]

    @Test(arguments: base32) func base32IsReadAloudWithoutDoubt(value: UInt64, characters: Int, text: String) {
        #expect(Base32.encode(value, characters: characters) == text)
        #expect(!text.contains { "ilou".contains($0) })
    }
}

@Suite struct InstantTexts {
    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func whatIsWrittenIsReadBack(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<5000 {
            let instant = Instant(milliseconds: Int64.random(in: -62_167_219_200_000...253_402_300_799_999, using: &random))
            #expect(Instant(compact: instant.compact.utf8) == instant, "\(instant), seed \(seed)")
            #expect(Instant(fixed: instant.rfc3339.utf8) == instant, "\(instant), seed \(seed)")
        }
    }

    @Test func everyDayOf400YearsIsReadBack() {
        for day in Int64(-60_000)...86_097 {
            let instant = Instant(milliseconds: day * 86_400_000 + day & 1023)
            guard Instant(compact: instant.compact.utf8) == instant, Instant(fixed: instant.rfc3339.utf8) == instant else {
                Issue.record("\(instant)")
                return
            }
        }
    }

    static let refused = [
        "", "2026-11-21T02:00:00.000", "2026-11-21T02:00:00Z", "2026-11-21 02:00:00.000Z", "2026-11-21t02:00:00.000Z",
        "2026-13-21T02:00:00.000Z", "2026-00-21T02:00:00.000Z", "2026-11-00T02:00:00.000Z", "2026-11-32T02:00:00.000Z",
        "2026-11-21T24:00:00.000Z", "2026-11-21T02:60:00.000Z", "2026-11-21T02:00:60.000Z", "2026-11-21T02:00:0x.000Z",
        "-026-11-21T02:00:00.000Z", "2026-11-21T02:00:00.000Z ", "2026-11-21T02:00:00.000+", "２026-11-21T02:00:00.00",
        "2026-02-30T02:00:00.000Z", "2025-02-29T02:00:00.000Z", "2026-04-31T00:00:00.000Z",
    ]

    @Test(arguments: refused) func noOtherFormIsRead(text: String) {
        #expect(Instant(fixed: text.utf8) == nil)
        #expect(Instant(compact: text.utf8.filter { $0 != 0x2D && $0 != 0x3A }) == nil)
    }

    @Test func additionStopsAtTheEnds() {
        #expect(Instant(milliseconds: .max).advanced(byMilliseconds: 1).milliseconds == .max)
        #expect(Instant(milliseconds: .min).advanced(byMilliseconds: -1).milliseconds == .min)
        #expect(now.advanced(byMilliseconds: -1000) == instant("2026-11-21T01:59:59.000Z"))
    }
}
