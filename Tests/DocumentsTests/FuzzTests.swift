// Damaged documents. Every input gives a tree, or an error with a position in the text. Every tree can be written and read back
// unchanged, and every edit of a valid text gives a valid text. A failure shows the seed, which repeats it.

import Documents
import TestSupport
import Testing

@Suite struct FuzzTests {
    private static let ownCorpus = [
        "command = [\"true\"]\nqueue = \"a\"\n", "[a.b]\nc.d = { e = 'x', f = [1, 2.5e3, 0x1F] }\n[[s]]\n[s.t]\n[[s]]\n",
        "s = '''\n# x'''\n# y\n[t]\n# z\n[u]\nv = 1\n",
        "s = \"\"\"\n\\u00e9 \\\n x\"\"\"\nt = '''a\n'''\nd = 1979-05-27T07:32:00.5-07:00\n", "é = 1\n'é' = \"ü\" # ö\r\nn = nan\n",
        "{\"a\": [1, -2.5e-3, true, null, \"\\ud83d\\ude00\\n\"], \"b\": {\"c\": {}}}", "#!/bin/sh\n#SPOOL a = 1\n\n#SPOOL [b]\necho\n",
    ].map { Array($0.utf8) }

    private static let corpus: [[UInt8]] = {
        let toml = Vectors.tomlNames.compactMap { readFile(Vectors.toml + $0) }
        let json = Vectors.jsonNames.compactMap { readFile(Vectors.json + $0) }
        return ownCorpus + (toml + json).filter { $0.count < 2000 }
    }()

    /// Bytes with a meaning in some syntax.
    private static let interesting =
        Array("\"'[]{}=,.#\\\n\r\t :-+_eExTZu0129aé\u{FEFF}".utf8) + [0x00, 0x7F, 0x80, 0xC0, 0xED, 0xF4, 0xFF]

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func damagedDocumentsNeverSurprise(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<400 {
            let document = damaged(&random)
            check(document, seed: seed)
        }
    }

    private func damaged(_ random: inout SeededGenerator) -> [UInt8] {
        if Int.random(in: 0..<10, using: &random) == 0 {
            return (0..<Int.random(in: 0..<80, using: &random)).map { _ in FuzzTests.interesting.randomElement(using: &random)! }
        }
        var bytes = FuzzTests.corpus.randomElement(using: &random)!
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            let end = min(bytes.count, place + Int.random(in: 0..<12, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes.insert(FuzzTests.interesting.randomElement(using: &random)!, at: place)
            case 1: bytes.removeSubrange(place..<end)
            case 2: bytes.insert(contentsOf: bytes[place..<end], at: place)
            case 3: if place < bytes.count { bytes[place] = FuzzTests.interesting.randomElement(using: &random)! }
            default: bytes = Array(bytes[..<place]) + FuzzTests.corpus.randomElement(using: &random)!.suffix(60)
            }
        }
        return bytes
    }

    private func check(_ document: [UInt8], seed: UInt64) {
        let comment = Comment(rawValue: "seed \(seed): \(document)")
        do {
            let value = try TOML.parse(document)
            guard case .table(let table) = value.kind else { return }
            #expect(readingTOML(TOML.write(table)) == canonical(value), comment)
            checkEdits(String(decoding: document, as: UTF8.self), of: table, comment)
        } catch {
            #expect(isInside(error.position, document), comment)
        }
        do {
            let value = try JSON.parse(document)
            #expect(readingJSON(JSON.write(value)) == canonical(value), comment)
            #expect(readingJSON(JSON.write(value, pretty: true)) == canonical(value), comment)
        } catch {
            #expect(isInside(error.position, document), comment)
        }
        let script = Array("#!/bin/sh\n#SPOOL ".utf8) + document
        do { _ = try ScriptHeader.parse(script) } catch { #expect(isInside(error.position, script), comment) }
    }

    private func checkEdits(_ text: String, of table: Table, _ comment: Comment) {
        guard var editor = try? TOMLEditor(text) else {
            Issue.record(comment)
            return
        }
        var expected = table
        do {
            if let key = table.entries.last?.key {
                try editor.set(key, to: Value(.string("x\ny")))
                expected.set(key, Value(.string("x\ny")))
            }
            try editor.set("new key", to: Value(.integer(1)))
            expected.set("new key", Value(.integer(1)))
            try editor.append(tableArray: "new array", table)
            expected.set("new array", Value(.array([Value(.table(table))])))
            #expect(readingTOML(editor.text) == canonical(Value(.table(expected))), comment)
            let isRemoved = editor.removeElement(of: "new array", at: 0)
            #expect(isRemoved, comment)
            for entry in expected.entries {
                editor.remove(entry.key)
            }
            #expect(readingTOML(editor.text) == "{}", comment)
        } catch {
            Issue.record("\(error): \(comment)")
        }
    }

    private func isInside(_ position: Position, _ document: [UInt8]) -> Bool {
        let lines = document.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return (1...lines.count).contains(position.line) && (1...(lines[position.line - 1].count + 1)).contains(position.column)
    }
}
