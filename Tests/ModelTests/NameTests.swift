import Model
import Testing

@Suite struct NameTests {
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
