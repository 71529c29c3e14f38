/// The names of the tests, as their sources have them.
enum TestNames {
    /// Every name that a test is given, and where: `EndToEndTests/CrashTests`.
    static func all() throws -> [(name: String, file: String)] {
        var found: [(name: String, file: String)] = []
        for (target, path) in try sources() {
            let suite = path.split(separator: "/").last!.dropLast(".swift".count)
            var isNext = false
            for line in try Files.text(path).split(separator: "\n") {
                // `@Test("M1: …`, or the name on a line of its own.
                let text = line.drop { $0 == " " }
                if isNext || text.hasPrefix("@Test(\""), let name = firstString(in: text) { found.append((name, "\(target)/\(suite)")) }
                isNext = text == "@Test("
            }
        }
        return found
    }

    /// The source files of the test targets, in their folders too.
    private static func sources() throws -> [(target: String, path: String)] {
        let targets = try ShippedTextTests.files("Tests").filter { $0.hasSuffix("Tests") }
        return try targets.flatMap { target in
            try ShippedTextTests.tree(target).filter { $0.hasSuffix(".swift") }
                .map { (String(target.dropFirst("Tests/".count)), "\(ShippedTextTests.root)/\($0)") }
        }
    }

    /// How many functions are tests in each suite of each target: a type by its name, with what its extensions and the suites
    /// in it hold.
    static func suites() throws -> [String: [String: Int]] {
        var found: [String: [String: Int]] = [:]
        for (target, path) in try sources() {
            var suite = ""
            for line in try Files.text(path).split(separator: "\n") {
                // What is not indented declares a type, or closes one.
                let words = line.split { !($0.isLetter || $0.isNumber || $0 == "_" || $0 == "@") }
                if line.first != " ",
                    let kind = words.lastIndex(where: { ["struct", "enum", "class", "actor", "extension"].contains($0) })
                {
                    suite = words.dropFirst(kind + 1).first.map(String.init) ?? ""
                }
                if line.first == " ", words.first == "@Test" { found[target, default: [:]][suite, default: 0] += 1 }
            }
        }
        return found
    }

    /// The text between the first quotation mark and the next that is not escaped.
    private static func firstString(in line: Substring) -> String? {
        guard let quote = line.firstIndex(of: "\"") else { return nil }
        var text = ""
        var isEscaped = false
        for character in line[line.index(after: quote)...] {
            if character == "\"", !isEscaped { return text }
            isEscaped = character == "\\" && !isEscaped
            text.append(character)
        }
        return nil
    }

    /// The id of a row of the table in Tests/README.md that a name begins with, `M1` to `N10`, and the rest of the name.
    static func row(of name: String) -> (id: String, rest: String)? {
        guard let colon = name.firstRange(of: ": "), let letter = name.first, "MEAPUN".contains(letter) else { return nil }
        let id = name[..<colon.lowerBound]
        return Int(id.dropFirst()) == nil ? nil : (String(id), String(name[colon.upperBound...]))
    }

    /// The attacks that a name says its test proves: `Attack 17: …`, `Attacks 17, 18: …`, also after the id of a row.
    static func attacks(of name: String) -> [Int] {
        let rest = row(of: name)?.rest ?? name
        guard let colon = rest.firstRange(of: ": ") else { return [] }
        let words = rest[..<colon.lowerBound].split { " ,".contains($0) }
        guard words.first == "Attack" || words.first == "Attacks" else { return [] }
        // 0, which is no attack's number, for what is none.
        return words.dropFirst().map { Int($0) ?? 0 }
    }

    /// What stands in parentheses at the end of a name, cut at commas.
    static func endings(of name: String) -> [String] {
        guard name.hasSuffix(")"), let parenthesis = name.lastIndex(of: "(") else { return [] }
        return name[name.index(after: parenthesis)...].dropLast().split(separator: ",").map { String($0.drop { $0 == " " }) }
    }
}
