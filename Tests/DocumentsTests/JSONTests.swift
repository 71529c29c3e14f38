// Tables written from RFC 8259.

import Documents
import Testing

@Suite struct ReadingJSON {
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
        "'a'", "\"a", "\"\t\"", "\"\n\"", "\"\u{0}\"", #""\a""#, #""\u12G4""#, #""\uD800""#, #""\uDC00""#, #""\uD800\u0041""#, #""\uD800\uD800""#,
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

@Suite struct WritingJSON {
    @Test func putsCommasAndEscapesWhereTheyBelong() {
        var writer = JSONWriter(reserving: 64)
        writer.beginObject()
        writer.key("id")
        writer.string("a\"b\\c\u{1}\u{1F}\n\t\u{7F}é\u{9B}\u{A0}\u{202E}\u{2069}\u{2070}\u{20AC}")
        writer.key("n")
        writer.beginArray()
        writer.integer(Int64.min)
        writer.integer(0)
        writer.double(0.1)
        writer.double(.nan)
        writer.boolean(true)
        writer.null()
        writer.raw(Array("{\"x\":1}".utf8))
        writer.beginObject()
        writer.endObject()
        writer.endArray()
        writer.key("e")
        writer.beginArray()
        writer.endArray()
        writer.endObject()
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == "{\"id\":\"a\\\"b\\\\c\\u0001\\u001f\\n\\t\\u007fé\\u009b\u{A0}\\u202e\\u2069\u{2070}\u{20AC}\",\"n\":[-9223372036854775808,0,0.1,null,true,null,{\"x\":1},{}],\"e\":[]}")
    }

    @Test func prettyIsIndentedByTwo() throws {
        let value = try JSON.parse(Array(#"{"a":[1,{"b":[]}],"c":{}}"#.utf8))
        #expect(
            JSON.write(value, pretty: true) == """
                {
                  "a": [
                    1,
                    {
                      "b": []
                    }
                  ],
                  "c": {}
                }
                """)
    }

    @Test("compact takes the blanks between the parts away, and nothing else", arguments: [
        (" {\n\t\"a b\" : [ 1 , 2.50,1e400 ] }\r\n", #"{"a b":[1,2.50,1e400]}"#), (#"  "a \" b\\"  "#, #""a \" b\\""#),
        (#"[" ", "\\ ", "é "]"#, #"[" ","\\ ","é "]"#), ("", ""), (" x y", "xy"),
    ])
    func compact(text: String, compact: String) {
        #expect(String(decoding: JSON.compact(Array(text.utf8)), as: UTF8.self) == compact)
    }

    @Test func saysInStringsWhatOnlyTOMLCanSay() throws {
        #expect(JSON.write(Value(.table(try toml("d = 2026-01-01 10:00:00Z\nf = inf")))) == #"{"d":"2026-01-01T10:00:00Z","f":null}"#)
    }
}
