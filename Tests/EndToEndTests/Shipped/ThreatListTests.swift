import Testing

/// `Tests/Threats.md` and the tests name the same attacks.
@Suite("The list of threats")
struct ThreatListTests {
    /// The rows of the list's tables: the first cell, and the other cells.
    private static func rows() throws -> [(key: String, cells: [String])] {
        try Files.text("\(ShippedTextTests.root)/Tests/Threats.md").split(separator: "\n")
            .filter { $0.hasPrefix("| ") }.compactMap { line in
            let cells = line.split(separator: "|").map { cell in
                String(cell.drop { $0 == " " }).split(separator: " ").joined(separator: " ")
            }
            guard let key = cells.first, !key.isEmpty else { return nil }
            return (key, Array(cells.dropFirst()))
        }
    }

    @Test("Each attack of the list has a test that bears its number, and each number that a test bears is in the list")
    func numbers() throws {
        let listed = try Self.rows().compactMap { Int($0.key) }
        #expect(listed == Array(1...listed.count) && listed.count >= 80, "numbered from 1, and stable")
        let tested = Set(try TestNames.all().flatMap { TestNames.attacks(of: $0.name) })
        #expect(Set(listed).subtracting(tested).sorted() == [], "without a test")
        #expect(tested.subtracting(listed).sorted() == [], "not in the list")
    }

    @Test("Each fault of other programs in the list has a test that names it at the end, and each fault that a test names is in the list")
    func history() throws {
        let listed = try Self.rows().map(\.key).filter { Int($0) == nil }
        #expect(Set(listed).count == listed.count && listed.count >= 25, "each once")
        let endings = Set(try TestNames.all().flatMap { TestNames.endings(of: $0.name) })
        #expect(listed.filter { !endings.contains($0) } == [], "without a test")
        let origins = ["CVE-", "incron ", "at's ", "cronie's "]
        #expect(endings.filter { ending in origins.contains { ending.hasPrefix($0) } && !listed.contains(ending) } == [], "not in the list")
    }

    @Test("Each row says what is done and what must happen")
    func whole() throws {
        for row in try Self.rows() { #expect(row.cells.count == 2 && row.cells.allSatisfy { !$0.isEmpty }, "\(row.key)") }
    }
}
