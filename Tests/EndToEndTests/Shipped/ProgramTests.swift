// What the programs are made of.

import Testing

@Suite struct ProgramTests {
    @Test(
        "No program needs Swift's engine for regular expressions, which is a tenth of its size",
        .enabled(if: Commands.has("nm"), "needs nm"), arguments: ["spoold", "spoolctl"])
    func hasNoRegularExpressions(program: String) throws {
        let symbols = try Commands.run("nm", "--undefined-only", "\(SpoolUnderTest.programs)/\(program)").output
        #expect(symbols.contains("swift"))
        let needed = symbols.split(separator: "\n").filter { $0.contains("17_StringProcessing") }
        #expect(needed.isEmpty, "use TextSearch")
    }

    @Test("No source asks for the Unicode name of a character: the release programs are linked without these names")
    func asksForNoCharacterNames() throws {
        let found = try Commands.run("grep", "-rnE", "--include=*.swift", "[.]properties[.]name", "\(ShippedTextTests.root)/Sources")
        #expect(found.code == 1 && found.error.isEmpty, "\(found.output)\(found.error)")
    }
}
