import Testing
import WorkerProtocol

/// The file `extend`, which moves a timeout.
@Suite struct ExtensionTests {
    static let texts: [(text: String, milliseconds: Int64)] = [
        ("", 0), ("600\n", 600_000), ("600", 600_000), ("1\n2.5\n\n0.25\n", 3750), ("1\r\n2\r\n", 3000), ("x\n-5\n0\nnan\n1\n", -4000),
        ("-inf\n", -3_155_760_000_000),
        ("inf\n", 3_155_760_000_000), ("1e300\n1e300", 3_155_760_000_000), ("10m", 0), ("\u{FF}\n1", 1000),
    ]

    @Test("The lines of the file are added up, and no line can do harm", arguments: texts)
    func lines(_ row: (text: String, milliseconds: Int64)) {
        #expect(Extension.milliseconds(Array(row.text.utf8)) == row.milliseconds)
    }

    static let lengths: [Int64] = [-1, -999, -61_500, 1, 10, 999, 1000, 1001, 600_000, 3_155_760_000_000]

    @Test("A written line is read as the same duration", arguments: lengths)
    func line(milliseconds: Int64) {
        #expect(Extension.milliseconds(Array(Extension.line(milliseconds: milliseconds).utf8)) == milliseconds)
    }
}
