import Testing

@testable import SpoolCommands

@Suite("Unified diffs") struct UnifiedDiffTests {
    static let texts: [(from: String?, to: String?, lines: [String])] = [
        ("a\n", "a\n", []),
        ("", "", []),
        (nil, "a\nb\n", ["--- /dev/null", "+++ y", "@@ -0,0 +1,2 @@", "+a", "+b"]),
        ("a\n", nil, ["--- x", "+++ /dev/null", "@@ -1 +0,0 @@", "-a"]),
        (nil, "", ["--- /dev/null", "+++ y"]),
        ("a\nb\nc\n", "a\nB\nc\n", ["--- x", "+++ y", "@@ -1,3 +1,3 @@", " a", "-b", "+B", " c"]),
        ("a\nb", "a\nb\n", ["--- x", "+++ y", "@@ -1,2 +1,2 @@", " a", "-b", "\\ No newline at end of file", "+b"]),
        // Changes with more than six unchanged lines between them are in two hunks.
        (
            "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "0\n2\n3\n4\n5\n6\n7\n8\n0\n",
            [
                "--- x", "+++ y", "@@ -1,4 +1,4 @@", "-1", "+0", " 2", " 3", " 4", "@@ -6,4 +6,4 @@", " 6", " 7", " 8", "-9", "+0",
            ]),
        ("a\r\n", "a\n", ["--- x", "+++ y", "@@ -1 +1 @@", "-a\r", "+a"]),
    ]

    @Test("The lines are those of diff -u", arguments: texts)
    func lines(_ row: (from: String?, to: String?, lines: [String])) {
        #expect(UnifiedDiff(row.from, row.to, names: ("x", "y")).lines == row.lines)
    }

    @Test("Every line of the new text is kept or added, and every line of the old one kept or removed")
    func whole() {
        var generator = Numbers(state: 1)
        for _ in 0..<500 {
            func text() -> String { (0..<generator.next(below: 30)).map { _ in "\(generator.next(below: 4))\n" }.joined() }
            let (old, new) = (text(), text())
            // The texts have so many unchanged lines around the changes that there is one hunk.
            let lines = UnifiedDiff(old, new, names: ("x", "y")).lines.dropFirst(2).filter { !$0.hasPrefix("@@") }
            let removed = lines.filter { $0.hasPrefix("-") }.count
            let added = lines.filter { $0.hasPrefix("+") }.count
            #expect(old.split(separator: "\n").count - removed == new.split(separator: "\n").count - added)
        }
    }

    private struct Numbers {
        var state: UInt64
        mutating func next(below limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return Int((state >> 33) % UInt64(limit))
        }
    }
}
