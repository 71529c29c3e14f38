// Errors for people: the place, the expected text, the text that was found, and the likely meaning.

import Documents
import Testing

@Suite struct MistakeTests {
    @Test(arguments: [
        ("timeout = 10m", #"1:11: expected a value, found '10m'; strings need quotes: "10m""#),
        (
            "timeout = 10 minutes # c",
            #"1:14: expected the end of the line after the value, found 'minutes'; strings need quotes: "10 minutes""#),
        ("cron = */5 * * * *", #"1:8: expected a value, found '*/5 * * * *'; strings need quotes: "*/5 * * * *""#),
        ("cron = 0,30 * * * *", #"1:9: expected the end of the line after the value, found ','; strings need quotes: "0,30 * * * *""#),
        ("tags = [backup, nightly]", #"1:9: expected a value, found 'backup'; strings need quotes: "backup""#),
        ("a = True", "1:5: expected a value, found 'True'; did you mean true?"),
        ("a = no", #"1:5: expected a value, found 'no'; did you mean false? Text needs quotes: "no""#),
        ("a = null", "1:5: expected a value, found 'null'; TOML has no null: leave the key out"),
        ("a =", "1:4: expected a value, found the end of the file"),
        ("a = \nb = 1", "1:5: expected a value, found the end of the line"),
        ("a = “x”", #"1:5: expected a value, found '“x”'; write a string between straight quotes: " or '"#),
        (
            "umask = 022",
            #"1:9: a number does not begin with a zero, found '022'; drop the zero; octal is written 0o17, and text needs quotes: "022""#),
        ("a = .5", "1:5: expected a value, found '.5'; a float has digits on both sides of its point"),
        (
            "at = 18:00 Uhr",
            #"1:12: expected the end of the line after the value, found 'Uhr'; strings need quotes: "18:00 Uhr""#),
        ("at = 18:00h", "1:11: expected the date or time to end here, found 'h'; text that is not a plain date or time goes into quotes"),
        ("at = 9:00", #"1:7: expected the end of the line after the value, found ':'; strings need quotes: "9:00""#),
        ("at = 2026-02-30", "1:14: expected a day of that month from 1 to 28, found 30"),
        ("key: value", "1:4: expected '=' after the key 'key', found ':'; TOML uses '=': key = …"),
        ("my key = 1", "1:4: expected '=' after the key 'my', found 'key'; a key with a space in it goes into quotes"),
        ("a = 1\n\n  a = 2", "3:3: 'a' is defined twice: first at line 1, column 1"),
        ("a = 1 b = 2", "1:7: expected the end of the line after the value, found 'b'; each key has a line of its own"),
        ("a = 1,", "1:6: expected the end of the line after the value, found ','; a line has no comma at its end"),
        ("a = 1 // one", "1:7: expected the end of the line after the value, found '/'; comments begin with #"),
        ("{\"a\": 1}", "1:1: expected a key, found '{'; this looks like JSON; a JSON file is named .json"),
        ("x = 1\ns = \"abc\ny = 2", "2:5: this string is not closed on its line: expected \"; text of several lines goes between \"\"\""),
        ("x = 1\ns = '''abc\n\n", "2:5: this string is never closed: expected ''' before the end of the file"),
        ("a = [1,\n 2", "1:5: this array is never closed: expected ']' before the end of the file"),
        ("a = {b = 1", "1:5: this inline table is never closed: expected '}' before the end of the file"),
        (
            "a = {b = 1\n c = 2}",
            """
            2:2: expected ',' or '}' after a value of the inline table, found 'c'; the inline table begins at line 1, column 5; commas \
            separate its keys
            """),
        (
            "a = {b = 1,\n\n[c]",
            "3:1: expected a key or '}', found '['; the inline table begins at line 1, column 5; commas separate its keys"),
        (
            "path = \"C:\\Temp\"",
            """
            1:11: expected an escape (\\b \\t \\n \\f \\r \\e \\\" \\\\ \\xXX \\uXXXX \\UXXXXXXXX), found a backslash and \
            'Temp'; write \\\\ for a backslash, or put the text between apostrophes
            """),
        ("[env]\nA = 'x'\n[env]", "3:2: 'env' is defined twice: first at line 1, column 2; put all of its keys under one header"),
        (
            "[[schedule]]\n[schedule]",
            "2:2: 'schedule' is defined twice: first at line 1, column 3; a further element is written [[schedule]]"),
        (#""a\nb\u009B" = 1"# + "\n" + #""a\nb\u009B" = 2"#, "2:1: 'a\\nb\\u{009B}' is defined twice: first at line 1, column 1"),
        ("a = 0xFFFFFFFFFFFFFFFFFF", "1:5: the integer '0xFFFFFFFFFFFFFFFFFF' does not fit 64 bits"),
    ])
    func inTOML(text: String, are expected: String) {
        #expect(readingTOML(text) == expected)
    }

    @Test(arguments: [
        ("{\"a\": 1,}", "1:8: expected another value after ',', found '}'; JSON has no comma after the last value"),
        ("{\n  \"a\": [1, 2\n}", "3:1: expected ',' or ']' after a value of the array, found '}'"),
        ("{\"a\": [1, 2", "1:7: this array is never closed: the file ends where ',' or ']' after a value of the array was expected"),
        ("{a: 1}", "1:2: expected a key between quotation marks, found 'a'; JSON keys need quotation marks: \"key\""),
        ("{\"a\" = 1}", "1:6: expected ':' after the key 'a', found '='; JSON uses ':'; a TOML file is named .toml"),
        ("{\"a\": 'x'}", "1:7: expected a value, found an apostrophe; write a JSON string between quotation marks: \"text\""),
        ("{\"a\": True}", "1:7: expected a value, found 'True'; did you mean true?"),
        ("{\"a\": 10m}", "1:7: expected a number, found '10m'; strings need quotation marks: \"10m\""),
        ("{\"a\": 010}", "1:7: expected a number, found '010'; a number does not begin with a zero"),
        ("{\"a\": NaN}", "1:7: expected a value, found 'NaN'; JSON has no infinities and no not-a-number"),
        ("[1] # c", "1:5: expected the end of the file after the value, found '#'; JSON has no comments"),
        ("\u{FEFF}{}", "1:1: JSON does not begin with a byte order mark; save the file as UTF-8 without one"),
        ("{\"a\": \"x", "1:7: this string is never closed: expected \" before the end of the file"),
        ("{\"a\": 1,\n \"a\": 2}", "2:2: 'a' is given twice: first at line 1, column 2"),
        ("\"\\uD83D\"", "1:2: half of a surrogate pair is not a character; write both halves: \\uD83D\\uDE00"),
        ("", "1:1: expected a value, found the end of the file"),
    ])
    func inJSON(text: String, are expected: String) {
        #expect(readingJSON(text) == expected)
    }

    @Test(arguments: [
        ("timout", "timeout"), ("quue", "queue"), ("shedule", "schedule"), ("TIMEOUT", "timeout"), ("tiemout", "timeout"),
        ("x", nil), ("banana", nil), ("", nil), ("cwd", nil),
    ] as [(String, String?)])
    func nearestWord(word: String, meant: String?) {
        #expect(nearest(to: word, among: ["command", "timeout", "queue", "schedule", "tries", "env"]) == meant)
    }
}
