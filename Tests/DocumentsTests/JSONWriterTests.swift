import Documents
import Testing

@Suite struct JSONWriterTests {
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
                == "{\"id\":\"a\\\"b\\\\c\\u0001\\u001f\\n\\t\\u007fé\\u009b\u{A0}\\u202e\\u2069\u{2070}\u{20AC}\","
                + "\"n\":[-9223372036854775808,0,0.1,null,true,null,{\"x\":1},{}],\"e\":[]}")
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

    @Test("compact removes the blanks between the parts, and nothing else", arguments: [
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
