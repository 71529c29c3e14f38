import Documents
import TestSupport
import Testing

@Suite struct WriterTests {
    @Test func readsWell() throws {
        let table = try toml(
            #"""
            env = {LANG = "C", "odd key" = "it's"}
            script = "#!/bin/sh\necho \"$HOME\"\n"
            path = 'C:\dir'
            both = "a'b\\"
            tags = ["a", "b"]
            schedule = [{cron = "@daily"}, {every = "5m", window = {from = 09:00:00}}]
            mixed = [{a = 1}, 2]
            ratio = 1.0
            none = []
            empty = {}
            """#)
        #expect(
            TOML.write(table) == #"""
                script = '''
                #!/bin/sh
                echo "$HOME"
                '''
                path = 'C:\dir'
                both = "a'b\\"
                tags = ["a", "b"]
                mixed = [{ a = 1 }, 2]
                ratio = 1.0
                none = []

                [env]
                LANG = "C"
                "odd key" = "it's"

                [[schedule]]
                cron = "@daily"

                [[schedule]]
                every = "5m"

                [schedule.window]
                from = 09:00:00

                [empty]

                """#)
    }

    @Test(arguments: [
        "", "'", "''", "'''", "\"", "\"\"\"", "\n", "a\n", "a\nb", "\na\nb", "a\nb'", "a\n'''b", "a\n'''b\"\"\"\"\"\"", "a\nb\"",
        "a\nb\"\"\"",
        "a\r\nb", "a\r", "a\n\\", "\\\n\\", "a\t\nb", "a\n\u{0}\u{1F}\u{7F}", "é\n😀", "a\\b", "a\\b\u{1}", "#", " ", "a\\'b",
        "a\nb \\\n c",
    ])
    func everyStringReadsBackTheSame(string: String) throws {
        for value in [Value(.string(string)), Value(.array([Value(.string(string))]))] {
            let table = Table([.init(key: string, keyPosition: value.position, value: value)])
            let text = TOML.write(table)
            #expect(readingTOML(text) == canonical(Value(.table(table))), "\(text)")
            let json = JSON.write(Value(.table(table)))
            #expect(readingJSON(json) == canonical(Value(.table(table))), "\(json)")
        }
    }

    @Test(arguments: [
        "0.1", "1e300", "-0.0", "5e-324", "1.7976931348623157e308", "inf", "-inf", "nan", "123456789012345680.0", "-9223372036854775808",
        "1979-05-27T07:32:00.5-07:30", "0001-01-01", "23:59:60.000000001", "[[], [[]], {}]", "{a.b.c = {}}",
    ])
    func everyOtherValueReadsBackTheSame(value: String) throws {
        let table = try toml("x = \(value)")
        #expect(readingTOML(TOML.write(table)) == canonical(Value(.table(table))))
    }

    @Test func leavesOutNull() throws {
        guard case .table(let table) = try JSON.parse(Array(#"{"a": null, "b": [null, 1], "c": {"d": null}}"#.utf8)).kind else { return }
        #expect(TOML.write(table) == "b = [1]\n\n[c]\n")
    }

    @Test(
        .enabled(if: !Vectors.tomlNames.isEmpty, "\(Vectors.missing)"),
        arguments: Vectors.tomlNames.filter { $0.hasPrefix("valid/") })
    func whatTomlTestReadsIsWrittenAndReadBack(name: String) throws {
        let value = try TOML.parse(try #require(readFile(Vectors.toml + name)), limits: generous)
        guard case .table(let table) = value.kind else { return }
        let text = TOML.write(table)
        #expect(readingTOML(text) == canonical(value), "\(text)")
    }
}
