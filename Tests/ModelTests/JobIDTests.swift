import Model
import TestSupport
import Testing

@Suite struct JobIDTests {
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
        // This id must be the same in every version. Otherwise a restart after an upgrade would run a due time again.
        #expect(id.text == "20261121T020000.000Z-backup-\(Base32.encode(stableHash("backup\0k3f9ab\0\(now.milliseconds)"), characters: 6))")
        #expect(stableHash("") == 0xefd0_1f60_ba99_2926)
        #expect(id != JobID(task: "backup", schedule: "k3f9ac", due: now))
        #expect(id != JobID(task: "backup", schedule: "k3f9ab", due: now.advanced(byMilliseconds: 1)))
        // The parts of the hashed text are kept apart.
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
