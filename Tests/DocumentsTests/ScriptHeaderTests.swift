import Documents
import Testing

@Suite struct ScriptHeaderTests {
    private func reading(_ text: String) -> String {
        do { return canonical(try ScriptHeader.parse(Array(text.utf8))) } catch { return "\(error)" }
    }

    @Test(arguments: [
        ("#!/bin/sh\necho", "{}"),
        ("#!/bin/sh\n#SPOOL timeout = \"10m\"\necho", "{\"timeout\": \"10m\"}"),
        (
            "#!/bin/sh\n#SPOOL tries = 3\r\n\r\n# other\r\n#SPOOL\tenv.A = 'x'\r\necho\r\n#SPOOL tries = 4",
            "{\"env\": {\"A\": \"x\"}, \"tries\": 3}"),
        ("#!/bin/sh\n  #SPOOL a = 1 # why\n#SPOOLER b = 2\n# SPOOL c = 3", "{\"a\": 1}"),
        (
            "#!/bin/sh\n#SPOOL [env]\n#SPOOL A = '1'\n#SPOOL [[schedule]]\n#SPOOL cron = '@daily'",
            "{\"env\": {\"A\": \"1\"}, \"schedule\": [{\"cron\": \"@daily\"}]}"),
        ("#!/bin/sh\n#SPOOL", "{}"),
        ("#!/bin/sh\n# bell \u{7}\n#SPOOL a = 1", "{\"a\": 1}"),
        // Mistakes have the line and column in the script.
        ("#!/bin/sh\n# é\n#SPOOL timeout = 10m", "3:18: expected a value, found '10m'; strings need quotes: \"10m\""),
        ("#!/bin/sh\n#SPOOL é = 1", "2:8: expected a key, found 'é'; a key with other than A-Z a-z 0-9 _ - goes into quotes"),
        (
            "#!/bin/sh\n#SPOOL a = [1,\n#SPOOL 2]",
            """
            2:12: this array does not end on its line; each #SPOOL line is one whole line of TOML; longer definitions go into a .toml \
            file
            """),
        (
            "#!/bin/sh\n#SPOOL a = '''\n#SPOOL '''",
            """
            2:12: this string does not end on its line; each #SPOOL line is one whole line of TOML; longer definitions go into a .toml file
            """),
        ("#!/bin/sh\n#SPOOL a = 1\n#SPOOL a = 2", "3:8: 'a' is defined twice: first at line 2, column 8"),
        ("#!/bin/sh\n#SPOOL: a = 1", "2:7: expected a blank after '#SPOOL', found ':'; write: #SPOOL timeout = \"10m\""),
        (
            "#!/bin/sh -e\r\n#SPOOL tries = 3\r\n",
            """
            1:13: the first line ends with CR LF, and the kernel takes the CR for a part of the interpreter's name; convert the script: \
            sed -i 's/\\r$//' FILE
            """),
        ("echo", "1:1: expected a script that begins with '#!'; a first line '#!/bin/sh' names the program that runs it"),
        ("", "1:1: expected a script that begins with '#!'; a first line '#!/bin/sh' names the program that runs it"),
    ])
    func reads(script: String, as expected: String) {
        #expect(reading(script) == expected)
    }

    @Test func bytesThatAreNotTextMattersOnlyInSPOOLLines() throws {
        let script = Array("#!/bin/sh\n# ".utf8) + [0xFF, 0x00] + Array("\n#SPOOL a = 1\nexec\n".utf8) + [0xFF, 0xFE]
        #expect(canonical(try ScriptHeader.parse(script)) == "{\"a\": 1}")
    }

    @Test func theLimitOfBytesIsTheHeaders() throws {
        let body = [UInt8](repeating: UInt8(ascii: "x"), count: 4096)
        let limits = Limits(bytes: 256)
        #expect(canonical(try ScriptHeader.parse(Array("#!/bin/sh\n#SPOOL a = 1\n".utf8) + body, limits: limits)) == "{\"a\": 1}")
        #expect(throws: DocumentError.self) {
            try ScriptHeader.parse(Array(("#!/bin/sh\n" + String(repeating: "#SPOOL # x\n", count: 99)).utf8), limits: limits)
        }
    }
}
