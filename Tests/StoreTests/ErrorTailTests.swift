import Store
import Testing

@Suite("The quoted end of a failed run's output")
struct ErrorTailTests {
    static let rows: [(output: String, text: String?)] = [
        ("", nil), ("\n \n\t\n", nil), ("one", "one"), ("one\n", "one"), ("1\n2\n3\n4\n", "2\n3\n4"),
        ("1\n\n2\n  3  \n\n", "1\n2\n3"), ("a\r\nb\r\n", "a\nb"), ("10%\r50%\r100%\nthen\n", "100%\nthen"),
        ("\u{1B}[1;31merror\u{1B}[0m: no\n", "error: no"), ("a\tb", "a b"), ("bell\u{7} \u{1B}]0;x\u{7}", "bell\\x07 \\x1b]0;x\\x07"),
        ("\u{202E}x", "\\u{202e}x"),
    ]

    @Test(arguments: rows)
    func quotes(_ row: (output: String, text: String?)) {
        #expect(ErrorTail(Array(row.output.utf8)).text == row.text)
    }

    @Test func aLongLineLosesItsBeginning() throws {
        let text = try #require(ErrorTail(Array(("first\n" + String(repeating: "x", count: 1000) + "ä end\n").utf8)).text)
        #expect(text.utf8.count <= 400 && text.hasPrefix("…x") && text.hasSuffix("xä end"))
        let two = try #require(ErrorTail(Array((String(repeating: "y", count: 1000) + "\nlast\n").utf8)).text)
        #expect(two.utf8.count <= 400 && two.hasPrefix("…y") && two.hasSuffix("y\nlast"))
    }

    @Test func bytesThatAreNotTextAreReplaced() {
        #expect(ErrorTail([0xFF, 0x41, 0xC3]).text == "\u{FFFD}A\u{FFFD}")
    }
}
