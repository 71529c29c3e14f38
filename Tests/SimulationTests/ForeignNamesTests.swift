import Daemon
import Linux
import Testing

@Suite struct ForeignNamesTests {
    private func at(_ milliseconds: Int64) -> MonotonicInstant { MonotonicInstant(milliseconds: milliseconds) }

    @Test("A flood of names that others make has few users looked up in a time, and each name that is there is looked up")
    func flood() {
        var names = ForeignNames()
        let all = (0..<2 * ForeignNames.waitingMax).map { ForeignNames.Name("n\($0)", in: "new") }
        for name in all { names.add(name, at: at(0)) }
        var time: Int64 = 0
        var seen: Set<ForeignNames.Name> = []
        var lists = 0
        while let wake = names.wakeAt {
            #expect(wake <= at(time + ForeignNames.milliseconds))
            let found = names.next(at: at(time)) {
                lists += 1
                return all
            }
            #expect(found.count <= ForeignNames.atOnce)
            seen.formUnion(found)
            time += ForeignNames.milliseconds
        }
        #expect(seen == Set(all) && lists == 1)
    }

    @Test("Names are looked up again when the user database did not answer")
    func unanswered() {
        var names = ForeignNames()
        let name = ForeignNames.Name("alice", in: "new")
        names.add(name, at: at(0))
        let first = names.next(at: at(0)) { [] }
        #expect(first == [name] && names.wakeAt == nil)
        names.notAnswered(at: at(0))
        #expect(names.wakeAt == at(ForeignNames.againMilliseconds))
        let again = names.next(at: at(ForeignNames.againMilliseconds)) { [name] }
        #expect(again == [name] && names.wakeAt == nil)
    }
}
