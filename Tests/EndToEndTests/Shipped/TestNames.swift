/// The display names of the tests, read from their sources.
enum TestNames {
    /// Every display name, and its suite: `EndToEndTests/CrashTests`.
    static func all() throws -> [(name: String, file: String)] {
        var found: [(name: String, file: String)] = []
        for (target, path) in try sources() {
            let suite = path.split(separator: "/").last!.dropLast(".swift".count)
            var isNext = false
            for line in try Files.text(path).split(separator: "\n") {
                // The name is in `@Test("M1: …`, or on a line of its own.
                let text = line.drop { $0 == " " }
                if isNext || text.hasPrefix("@Test(\""), let name = firstString(in: text) { found.append((name, "\(target)/\(suite)")) }
                isNext = text == "@Test("
            }
        }
        return found
    }

    /// The source files of the test targets, including their folders.
    private static func sources() throws -> [(target: String, path: String)] {
        let targets = try ShippedTextTests.files("Tests").filter { $0.hasSuffix("Tests") }
        return try targets.flatMap { target in
            try ShippedTextTests.tree(target).filter { $0.hasSuffix(".swift") }
                .map { (String(target.dropFirst("Tests/".count)), "\(ShippedTextTests.root)/\($0)") }
        }
    }

    /// The number of test functions in each suite of each target. A suite is a type by its name, together with its extensions and
    /// inner suites.
    static func suites() throws -> [String: [String: Int]] {
        var found: [String: [String: Int]] = [:]
        for (target, path) in try sources() {
            var suite = ""
            for line in try Files.text(path).split(separator: "\n") {
                // A line without indentation declares a type, or closes one.
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

    /// Divides a name into the id of its row in Tests/README.md, `M1` to `N10`, and the rest.
    static func row(of name: String) -> (id: String, rest: String)? {
        guard let colon = name.firstRange(of: ": "), let letter = name.first, "MEAPUNCWX".contains(letter) else { return nil }
        let id = name[..<colon.lowerBound]
        return Int(id.dropFirst()) == nil ? nil : (String(id), String(name[colon.upperBound...]))
    }

    /// The numbers of attacks that a name begins with: `Attack 17: …`, `Attacks 17, 18: …`, also after the id of a row.
    static func attacks(of name: String) -> [Int] {
        let rest = row(of: name)?.rest ?? name
        guard let colon = rest.firstRange(of: ": ") else { return [] }
        let words = rest[..<colon.lowerBound].split { " ,".contains($0) }
        guard words.first == "Attack" || words.first == "Attacks" else { return [] }
        // A word that is no number becomes 0, which is no attack's number.
        return words.dropFirst().map { Int($0) ?? 0 }
    }

    /// The parts, divided by commas, of the parentheses at the end of a name.
    static func endings(of name: String) -> [String] {
        guard name.hasSuffix(")"), let parenthesis = name.lastIndex(of: "(") else { return [] }
        return name[name.index(after: parenthesis)...].dropLast().split(separator: ",").map { String($0.drop { $0 == " " }) }
    }
}
