// Tables from the TOML 1.0.0 specification.

import Documents
import Testing

@Suite struct TOMLTests {
    @Test(arguments: [
        // Keys
        (#"a = 1"#, "{\"a\": 1}"),
        (#"1234 = 1"#, "{\"1234\": 1}"),
        (#""" = 1"#, "{\"\": 1}"),
        (#"'a "b"' = 1"#, "{\"a \\\"b\\\"\": 1}"),
        (#"a . "b.c" . d = 1"#, "{\"a\": {\"b.c\": {\"d\": 1}}}"),
        (#"3.14159 = "pi""#, "{\"3\": {\"14159\": \"pi\"}}"),
        ("a.b = 1\na.c = 2", "{\"a\": {\"b\": 1, \"c\": 2}}"),
        ("\"\u{E9}\" = 1\n\"e\u{301}\" = 2", "{\"e\u{301}\": 2, \"\u{E9}\": 1}"),
        // Integers
        ("a = +99\nb = -0\nc = 1_000", "{\"a\": 99, \"b\": 0, \"c\": 1000}"),
        ("a = 0xDEAD_beef\nb = 0o755\nc = 0b1101", "{\"a\": 3735928559, \"b\": 493, \"c\": 13}"),
        ("a = 9223372036854775807\nb = -9223372036854775808", "{\"a\": 9223372036854775807, \"b\": -9223372036854775808}"),
        // Floats
        (
            "a = -0.01\nb = 5e+22\nc = 6.626e-34\nd = +9_224.1_50\ne = 1E05\nf = 1e999\ng = -99_999999999999999999",
            """
            {\"a\": float(-0.01), \"b\": float(5e+22), \"c\": float(6.626e-34), \"d\": float(9224.150), \"e\": float(1E05), \
            \"f\": float(1e999), \"g\": float(-99999999999999999999)}
            """
        ),
        ("a = inf\nb = -inf\nc = nan\nd = +nan", "{\"a\": float(inf), \"b\": float(-inf), \"c\": nan, \"d\": nan}"),
        // Strings
        (#"a = "\b\t\n\f\r\"\\\u00e9\U0001F600""#, "{\"a\": \"\\u0008\\t\\n\\u000c\\r\\\"\\\\\u{E9}\u{1F600}\"}"),
        (#"a = "\e[1m\x41\xe9\x00""#, "{\"a\": \"\\u001b[1mA\u{E9}\\u0000\"}"),
        (#"a = 'C:\Users\n'"#, "{\"a\": \"C:\\\\Users\\\\n\"}"),
        ("a = \"\"\"\nx\\\n   \n\t y\"\"\"", "{\"a\": \"xy\"}"),
        ("a = \"\"\"x\"\"\"\"\"", "{\"a\": \"x\\\"\\\"\"}"),
        ("a = '''''x'''''", "{\"a\": \"''x''\"}"),
        ("a = '''\r\nx\r\ny'''\r\nb = \"\"\"\r\nx\r\n\\r\ny\"\"\"", "{\"a\": \"x\\ny\", \"b\": \"x\\n\\r\\ny\"}"),
        ("a = \"\"\"\"\"\"\nb = ''''''", "{\"a\": \"\", \"b\": \"\"}"),
        // Dates and times
        ("a = 1979-05-27T07:32:00Z", "{\"a\": 1979-05-27T07:32:00Z}"),
        ("a = 1979-05-27 07:32:00.5-07:00", "{\"a\": 1979-05-27T07:32:00.500-07:00}"),
        ("a = 1979-05-27t00:32:00.999999", "{\"a\": 1979-05-27T00:32:00.999999}"),
        ("a = 1979-05-27 # day", "{\"a\": 1979-05-27}"),
        ("a = 07:32:00", "{\"a\": 07:32:00}"),
        ("a = 07:32\nb = 1979-05-27 07:32 # dawn", "{\"a\": 07:32:00, \"b\": 1979-05-27T07:32:00}"),
        ("a = 1979-05-27T07:32Z\nb = 1979-05-27T07:32-07:00", "{\"a\": 1979-05-27T07:32:00Z, \"b\": 1979-05-27T07:32:00-07:00}"),
        ("a = 00:00:00.1234567899", "{\"a\": 00:00:00.123456789}"),
        ("a = 2016-12-31T23:59:60z", "{\"a\": 2016-12-31T23:59:60Z}"),
        ("a = 2000-02-29", "{\"a\": 2000-02-29}"),
        // Arrays and inline tables
        ("a = [ 1, # one\n\n 2,\n]", "{\"a\": [1, 2]}"),
        ("a = [[1], ['x', {b = 1}]]", "{\"a\": [[1], [\"x\", {\"b\": 1}]]}"),
        ("a = { b.c = 1, b.d = 2, e = {} }", "{\"a\": {\"b\": {\"c\": 1, \"d\": 2}, \"e\": {}}}"),
        ("a = {b = [\n1,\n2\n]}", "{\"a\": {\"b\": [1, 2]}}"),
        ("a = { # one\n  b = 1, # two\r\n\n  # three\n  c.d = 2,\n}", "{\"a\": {\"b\": 1, \"c\": {\"d\": 2}}}"),
        ("a = [{b = 1,}, {\n}, {b = {\nc = 2\n, d = 3}}]", "{\"a\": [{\"b\": 1}, {}, {\"b\": {\"c\": 2, \"d\": 3}}]}"),
        // Tables
        ("[a.b]\nc = 1\n[a]\nd = 2", "{\"a\": {\"b\": {\"c\": 1}, \"d\": 2}}"),
        ("[a]\nb.c = 1\n[a.b.d]\ne = 2", "{\"a\": {\"b\": {\"c\": 1, \"d\": {\"e\": 2}}}}"),
        ("[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 2\n[[a.e]]\n[[a.e]]", "{\"a\": [{\"b\": 1}, {\"c\": {\"d\": 2}, \"e\": [{}, {}]}]}"),
        ("[ a . 'b' ] # c", "{\"a\": {\"b\": {}}}"),
        // Text
        ("", "{}"),
        ("\u{FEFF}a = 1", "{\"a\": 1}"),
        ("# only\r\n\r\na = 1\r\n", "{\"a\": 1}"),
    ])
    func reads(text: String, as expected: String) {
        #expect(readingTOML(text) == expected)
    }

    @Test(arguments: [
        "a = 1\na = 2", "a = 1\n\"a\" = 2", "a = 1\na.b = 2", "a.b = 1\na = 2", "[a]\n[a]", "[a]\nb = 1\n[a.b]",
        "a.b = 1\n[a]", "[a]\nb.c = 1\n[a.b]", "[a.b.c]\n[a]\nb.c.d = 1", "[a]\n[[a]]", "[[a]]\n[a]", "a = []\n[[a]]",
        "a = [{}]\n[a.b]", "a = {}\n[a.b]", "a = {}\na.b = 1", "a = {b = {c = 1}, b.d = 2}", "[a.b]\n[[a]]",
        "a = {,}", "a = {b = 1,,}", "a = {b = 1\nc = 2}", "a = {b\n= 1}", "a = {b =\n1}", "a = {b.\nc = 1}", "a = {b = 1 # c }",
        "a = {b = 1}\nc}", "a = {b = 1,\n b = 2}", "a = {b = 1\r}", "a = [1 2]", "a = [,]", "a = [1,,2]",
        "a = 01", "a = +01", "a = 1__0", "a = _1", "a = 1_", "a = 0x", "a = 0x_1", "a = +0x1", "a = 0X1", "a = 0b2",
        "a = 0x8000000000000000",
        "a = 1.", "a = .1", "a = 1.e1", "a = 1e", "a = 1e1.0", "a = 1._1", "a = Inf", "a = +-1",
        "a = 2023-02-29", "a = 2024-13-01", "a = 2024-00-01", "a = 2024-1-01", "a = 24:00:00", "a = 12:60:00", "a = 12:00:61",
        "a = 12:", "a = 12:0", "a = 12:00.5", "a = 12:00:", "a = 12:00Z", "a = 2024-01-01T12",
        "a = 2024-01-01T12:00:00.", "a = 2024-01-01T12:00:00+24:00", "a = 2024-01-01T12:00:00+0100",
        "a = 2024-01-01T", "a = 2024-01-01x", "a = 12:00:00Z",
        "a = \"\\x4\"", "a = \"\\x4g\"", "a = \"\\E\"", "a = \"\\X41\"", "a = \"\\uD800\"",
        "a = \"\\U00110000\"", "a = \"\\u12\"", "a = \"x", "a = \"x\ny\"",
        "a = '''x''''''", "a = \"\"\"x\\ y\"\"\"", "a = \"\u{0}\"", "a = \"\u{7F}\"", "a = '\u{1F}'", "a = 'x\ry'", "# \u{1}", "# x\ry",
        "\"\"\"a\"\"\" = 1", "a\n= 1", "a = \n1", "a b = 1", "= 1", "a", "a.", ".a = 1", "a..b = 1", "[]", "[a", "[a]]", "[[a]",
        "[a] b = 1", "[ [a] ]", "a = 1 b = 2", "a = true1", "a = TRUE", "\u{E9} = 1", "a\u{FEFF} = 1",
    ])
    func refuses(text: String) {
        #expect(throws: DocumentError.self) { try TOML.parse(Array(text.utf8)) }
    }

    @Test(arguments: [
        [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80],
        [0xF5, 0x80, 0x80, 0x80], [0x80], [0xE2, 0x82], [0xE2, 0x28, 0xA1], [0xFF],
    ] as [[UInt8]])
    func refusesWhatIsNotUTF8(sequence: [UInt8]) {
        let error = #expect(throws: DocumentError.self) { try TOML.parse(Array("# é".utf8) + sequence) }
        #expect(error?.position == Position(line: 1, column: 4))
        #expect(throws: DocumentError.self) { try JSON.parse(Array("\"".utf8) + sequence + Array("\"".utf8)) }
    }

    @Test func everyValueKnowsItsPlace() throws {
        let table = try toml("# ü\n'é' = [\n  'ß', {b = 2}]\nl = '''\n\n''' #\n[s]\nk = 0\n")
        func place(_ value: Value?) -> String { value.map { "\($0.position)" } ?? "none" }
        #expect(place(table["é"]) == "2:7")
        guard case .array(let values)? = table["é"]?.kind, case .table(let inner) = values[1].kind else { return }
        #expect(values.map { "\($0.position)" } == ["3:3", "3:8"])
        #expect(place(inner["b"]) == "3:13")
        #expect(table.entry("l")?.keyPosition == Position(line: 4, column: 1))
        #expect(place(table["s"]) == "7:2")
        guard case .table(let section)? = table["s"]?.kind else { return }
        #expect(place(section["k"]) == "8:5")
    }
}
