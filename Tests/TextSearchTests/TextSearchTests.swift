import Testing
import TextSearch

@Suite struct TextSearchTests {
    @Test(
        "A text is found at its first place",
        arguments: [
            ("", "", 0), ("a", "", 0), ("", "a", nil), ("abc", "abc", 0), ("abc", "abcd", nil), ("aab", "ab", 1), ("aaab", "aab", 1),
            ("x\ny", "\n", 1), ("a\r\nb", "\n", nil), ("naïve", "nai\u{308}ve", 0), ("cafe\u{301}", "cafe", nil),
        ] as [(String, String, Int?)])
    func found(text: String, other: String, place: Int?) {
        let range = text.firstRange(of: other)
        #expect(range.map { text.distance(from: text.startIndex, to: $0.lowerBound) } == place)
        #expect(range.map { String(text[$0]) == other } ?? true)
        #expect(text.contains(other) == (place != nil))
        #expect(text[...].contains(other[...]) == (place != nil))
    }

    @Test(
        "Each place is replaced, and what was put in is not searched again",
        arguments: [
            ("", "a", "b", ""), ("a-b-c", "-", "_", "a_b_c"), ("aaa", "aa", "a", "aa"), ("1 to 5 to 9", " to ", "-", "1-5-9"),
            ("abc", "c", "", "ab"), ("abc", "x", "y", "abc"), ("ab", "ab", "abab", "abab"),
        ])
    func replaced(text: String, other: String, replacement: String, result: String) {
        #expect(text.replacing(other, with: replacement) == result)
    }
}
