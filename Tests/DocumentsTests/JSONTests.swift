// Tables from RFC 8259.

import Documents
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        ("null", "null"), (" true ", "true"), ("\t\r\nfalse\n", "false"), ("\"\"", "\"\""), ("[]", "[]"), ("{}", "{}"),
        ("[1,-2 , 3]", "[1, -2, 3]"),
        ("[0, -0, 0.0, 1e2, 1E-2, -1.5e+3]", "[0, 0, float(0.0), float(1e2), float(1E-2), float(-1.5e+3)]"),
        ("9223372036854775807", "9223372036854775807"), ("-9223372036854775808", "-9223372036854775808"),
        ("9223372036854775808", "float(9223372036854775808)"), ("123456789012345678901234567890", "float(123456789012345678901234567890)"),
        (#""\"\\\/\b\f\n\r\t\u00e9""#, "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\u{E9}\""),
        (#""\uD83D\uDE00\u0000""#, "\"\u{1F600}\\u0000\""),
        ("\"\u{7F}\u{2028}é\"", "\"\\u007f\\u2028é\""),
        (#"{"b": {"a": [null]}, "a": 1}"#, #"{"a": 1, "b": {"a": [null]}}"#),
    ])
    func reads(text: String, as expected: String) {
        #expect(readingJSON(text) == expected)
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "True", "[1,]", "[,1]", "[1 2]", "[1", "{", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{'a':1}",
        "{\"a\":1 \"b\":2}", "01", "-", "-01", "+1", ".5", "1.", "1.e1", "1e", "1e+", "0x10", "1_0", "NaN", "Infinity", "1a",
        "'a'", "\"a", "\"\t\"", "\"\n\"", "\"\u{0}\"", #""\a""#, #""\u12G4""#, #""\uD800""#, #""\uDC00""#, #""\uD800\u0041""#,
        #""\uD800\uD800""#,
        "1 2", "[] //", "// a\n1", "\u{FEFF}1", "\u{A0}1", "[1]]", "{\"a\":1,\"a\":2}",
    ])
    func refuses(text: String) {
        #expect(throws: DocumentError.self) { try JSON.parse(Array(text.utf8)) }
    }

    @Test func theLastOfTwoEqualKeysCountsOnlyOnRequest() throws {
        let text = Array(#"{"a": 1, "b": 2, "a": 3}"#.utf8)
        #expect(throws: DocumentError.self) { try JSON.parse(text) }
        #expect(JSON.write(try JSON.parse(text, duplicateKeys: .lastWins)) == #"{"a":3,"b":2}"#)
    }

    @Test func everyValueKnowsItsPlace() throws {
        guard case .table(let table) = try JSON.parse(Array("{\n  \"é\": [1,\n 2], \"b\": 3}".utf8)).kind,
            case .array(let values)? = table["é"]?.kind
        else { return }
        #expect(values.map(\.position) == [Position(line: 2, column: 9), Position(line: 3, column: 2)])
        #expect(table.entry("b")?.keyPosition == Position(line: 3, column: 6))
        #expect(table["b"]?.position == Position(line: 3, column: 11))
    }
}
