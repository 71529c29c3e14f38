import Documents
import Testing

@Suite struct LimitTests {
    @Test func ofDepthHoldForEveryWayOfNesting() {
        let deep = 100_000
        for text in [
            "a = " + String(repeating: "[", count: deep), "a = " + String(repeating: "{a = ", count: deep),
            "[" + String(repeating: "a.", count: deep) + "a]", String(repeating: "a.", count: deep) + "a = 1",
        ] {
            let error = #expect(throws: DocumentError.self) { try TOML.parse(Array(text.utf8)) }
            #expect(error?.message.contains("more than 64 deep") == true)
        }
        for text in [String(repeating: "[", count: deep), String(repeating: "{\"a\":", count: deep)] {
            let error = #expect(throws: DocumentError.self) {
                try JSON.parse(Array(text.utf8), limits: Limits(depth: .max))
            }
            #expect(error?.message.contains("more than 1000 deep") == true)
        }
    }

    @Test func ofDepthAdmitsTheDeepestAllowed() throws {
        let json = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        _ = try JSON.parse(Array(json.utf8))
        _ = try TOML.parse(Array("a = \(json)".utf8))
        #expect(throws: DocumentError.self) { try JSON.parse(Array("[\(json)]".utf8)) }
    }

    @Test func ofBytesAndValuesPoint() {
        let bytes = #expect(throws: DocumentError.self) { try TOML.parse(Array("a = 1\nb = 2\n".utf8), limits: Limits(bytes: 8)) }
        #expect(bytes?.position == Position(line: 2, column: 3))
        let values = #expect(throws: DocumentError.self) { try JSON.parse(Array("[1, 2,\n 3]".utf8), limits: Limits(values: 3)) }
        #expect(values?.position == Position(line: 2, column: 2))
    }

    @Test("Attack 20: time is linear in the keys") func ofTimeIsLinearInTheKeys() throws {
        // Comparing 100,000 keys pair by pair would take minutes.
        let count = 100_000
        let keys = (0..<count).map { "k\($0) = 0\n" }.joined()
        let limits = Limits(bytes: .max, values: .max)
        guard case .table(let table) = try TOML.parse(Array(keys.utf8), limits: limits).kind else { return }
        #expect(table.count == count)
        #expect(table["k99999"] != nil)
        let headers = (0..<20_000).map { "[t.k\($0)]\n" }.joined()
        _ = try TOML.parse(Array(headers.utf8), limits: limits)
    }
}
