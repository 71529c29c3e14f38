import Model
import Testing

@Suite struct SignalTests {
    @Test func namesAndNumbersMeanTheSame() {
        for (name, number) in Signal.names {
            for text in [name, "SIG\(name)", name.lowercased(), "sig\(name.lowercased())", String(number)] {
                #expect(Signal.number(text) == number, "\(text)")
            }
            #expect(Signal.name(number) == "SIG\(name)")
        }
        #expect(Signal.number("64") == 64)
        #expect(Signal.name(40) == "signal 40")
    }

    @Test(arguments: ["", "0", "65", "-1", "SIG", "TERMINATE", "SIGSIGTERM", "9 ", "KILL\0", "99999999999"])
    func othersAreNoSignals(text: String) { #expect(Signal.number(text) == nil) }
}
