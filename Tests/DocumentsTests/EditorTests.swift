import Documents
import Testing

@Suite struct EditorTests {
    private let file = """
        # Nightly backup of the mail store.
        command = ["backup", "--all"]   # all of it

        # no more than an hour
        timeout = "1h"

        # work days
        [[schedule]]
        cron = "0 3 * * 1-5"

        [schedule.window]
        from = 03:00:00

        # weekend
        [[schedule]]
        cron = "0 5 * * 6,0"

        # what it needs
        [env]
        LANG = "C"

        """

    private func edit(_ text: String, _ change: (inout TOMLEditor) throws -> Void) throws -> String {
        var editor = try TOMLEditor(text)
        try change(&editor)
        _ = try toml(editor.text)
        return editor.text
    }

    @Test func replacesAValueInPlace() throws {
        #expect(try edit(file) { try $0.set("timeout", to: Value(.string("2h"))) } == file.replacingFirst(#""1h""#, with: #""2h""#))
        #expect(
            try edit(file) { try $0.set("command", to: Value(.string("true"))) }
                == file.replacingFirst(#"["backup", "--all"]"#, with: #""true""#))
    }

    @Test func addsAKeyAfterTheLastBeforeTheFirstHeader() throws {
        #expect(
            try edit(file) { try $0.set("tries", to: Value(.integer(3))) }
                == file.replacingFirst("\"1h\"\n", with: "\"1h\"\ntries = 3\n"))
    }

    @Test(arguments: [
        ("", "a = 1\n"), ("# c", "# c\na = 1\n"), ("b = 2", "b = 2\na = 1"), ("[t]\n", "a = 1\n\n[t]\n"),
        ("# file\n\n# t\n[t]\n", "# file\n\na = 1\n\n# t\n[t]\n"), ("b = 2\r\n[t]", "b = 2\r\na = 1\r\n[t]"),
        ("\u{FEFF}[t]", "\u{FEFF}a = 1\n\n[t]"), ("a.x = 2\nb = 3", "b = 3\na = 1"), ("b = 3\na.x = 2", "b = 3\na = 1"),
        ("a.x = 2", "a = 1"), ("[a]\nx = 1\n[b]\n", "a = 1\n\n[b]\n"),
        ("'a' = '''\n\n''' # c", "'a' = 1 # c"), ("[t]\na = 2", "a = 1\n\n[t]\na = 2"), ("[[a]]\n[a.b]\n[[a]]\n", "a = 1\n\n"),
    ])
    func setsInWhateverIsThere(before: String, after: String) throws {
        #expect(try edit(before) { try $0.set("a", to: Value(.integer(1))) } == after)
    }

    @Test func removesAKeyWithItsLine() throws {
        #expect(try edit(file) { $0.remove("timeout") } == file.replacingFirst("timeout = \"1h\"\n", with: ""))
        #expect(try edit(file) { $0.remove("env") } == file.replacingFirst("# what it needs\n[env]\nLANG = \"C\"\n", with: ""))
        #expect(try edit(file) { $0.remove("LANG") } == file)
        let withoutSchedule = try edit(file) { $0.remove("schedule") }
        #expect(withoutSchedule.hasSuffix("timeout = \"1h\"\n\n# what it needs\n[env]\nLANG = \"C\"\n"))
    }

    @Test func takesNoPartOfAStringForAComment() throws {
        #expect(try edit("s = '''\n# no comment'''\n[t]\n") { $0.remove("t") } == "s = '''\n# no comment'''\n")
        #expect(try edit("s = '''\n[[t]]\n'''\n[[t]]\n") { $0.removeElement(of: "t", at: 0) } == "s = '''\n[[t]]\n'''\n")
    }

    @Test func removesOneElementAndWhatBelongsToIt() throws {
        let second = try edit(file) { $0.removeElement(of: "schedule", at: 1) }
        #expect(second == file.replacingFirst("# weekend\n[[schedule]]\ncron = \"0 5 * * 6,0\"\n\n", with: ""))
        let first = try edit(file) { $0.removeElement(of: "schedule", at: 0) }
        #expect(
            first == file.replacingFirst(
                "# work days\n[[schedule]]\ncron = \"0 3 * * 1-5\"\n\n[schedule.window]\nfrom = 03:00:00\n\n", with: ""))
        for (name, index) in [("schedule", 2), ("env", 0), ("command", -1), ("command", 2), ("none", 0)] {
            #expect(try edit(file) { $0.removeElement(of: name, at: index) } == file)
        }
    }

    @Test func removesAnElementOfAnInlineArray() throws {
        #expect(
            try edit("s = [\n {a = 1}, # one\n {a = 2},\n] # two\n") { $0.removeElement(of: "s", at: 0) } == "s = [{ a = 2 }] # two\n")
    }

    @Test func appendsAnElement() throws {
        let element = try toml("cron = '@daily'\nwindow = {from = 03:00:00}")
        #expect(
            try edit(file) { try $0.append(tableArray: "schedule", element) }
                == file + "\n[[schedule]]\ncron = \"@daily\"\n\n[schedule.window]\nfrom = 03:00:00\n")
        #expect(
            try edit("s = [{ a = 1 }]\n") { try $0.append(tableArray: "s", try toml("a = 2")) } == "s = [{ a = 1 }, { a = 2 }]\n")
        #expect(try edit("") { try $0.append(tableArray: "s", try toml("a = 2")) } == "[[s]]\na = 2\n")
        #expect(
            try edit("b = 1\r\n") { try $0.append(tableArray: "s", try toml("a = \"x\\ny\"")) }
                == "b = 1\r\n\r\n[[s]]\r\na = \"x\\ny\"\r\n")
    }

    @Test func refusesWhatWouldNotBeTOMLAndChangesNothing() throws {
        var editor = try TOMLEditor("env = 1\n")
        #expect(throws: DocumentError.self) { try editor.append(tableArray: "env", Table()) }
        #expect(throws: DocumentError.self) { try editor.set("a", to: Value(.array([Value(.null)]))) }
        #expect(editor.text == "env = 1\n")
        #expect(throws: DocumentError.self) { try TOMLEditor("a = ") }
    }
}

extension String {
    /// Replaces the first occurrence, without Foundation.
    func replacingFirst(_ part: String, with replacement: String) -> String {
        let bytes = Array(utf8)
        let wanted = Array(part.utf8)
        for start in 0...max(0, bytes.count - wanted.count) where bytes[start...].starts(with: wanted) {
            return String(decoding: bytes[..<start] + Array(replacement.utf8) + bytes[(start + wanted.count)...], as: UTF8.self)
        }
        return self
    }
}
