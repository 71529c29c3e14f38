import Documents
import Testing

@Suite struct TableTests {
    @Test(arguments: [3, 16, 17, 100])
    func keepTheirOrderThroughEveryChange(count: Int) {
        var table = Table()
        for number in 0..<count { table.set("k\(number)", Value(.integer(Int64(number)))) }
        table.set("k1", Value(.integer(-1)))
        let removed = table.remove("k0")
        let removedAgain = table.remove("k0")
        #expect(removed != nil)
        #expect(removedAgain == nil)
        #expect(table.entries.map(\.key) == (1..<count).map { "k\($0)" })
        #expect(table["k1"].map(canonical) == "-1")
        #expect(table["k\(count - 1)"].map(canonical) == "\(count == 2 ? -1 : count - 1)")
        table.entries.removeLast()
        #expect(table["k\(count - 1)"] == nil)
    }

    @Test func tellApartKeysThatOnlyLookTheSame() {
        for count in [0, 40] {
            var table = Table()
            for number in 0..<count { table.set("k\(number)", Value(.null)) }
            table.set("\u{E9}", Value(.integer(1)))
            table.set("e\u{301}", Value(.integer(2)))
            #expect(table["\u{E9}"].map(canonical) == "1")
            #expect(table["e\u{301}"].map(canonical) == "2")
        }
    }
}
