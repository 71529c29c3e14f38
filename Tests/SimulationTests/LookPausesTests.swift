import Daemon
import Linux
import Testing

@Suite struct LookPausesTests {
    private func at(_ milliseconds: Int64) -> MonotonicInstant { MonotonicInstant(milliseconds: milliseconds) }

    @Test("C1: a crontab that changes all the time is looked at twice a second, and its last change is not missed")
    func flood() {
        var pauses = LookPauses()
        var looks: [Int64] = []
        for time in Int64(0)...60_000 {
            for path in pauses.due(at: at(time)) where pauses.admits(path, at: at(time)) { looks.append(time) }
            if time < 60_000, pauses.admits("tab", at: at(time)) { looks.append(time) }
        }
        #expect(looks.count == 121 && looks.last == 60_000)
        #expect(zip(looks, looks.dropFirst()).allSatisfy { $1 - $0 == LookPauses.milliseconds })
        #expect(pauses.wakeAt == nil)
    }

    @Test("C1: a change after a pause is looked at at once, and nothing wakes the daemon without a change")
    func alone() {
        var pauses = LookPauses()
        let first = [pauses.admits("one", at: at(0)), pauses.admits("other", at: at(10))]
        #expect(first == [true, true] && pauses.wakeAt == nil)
        let second = pauses.admits("other", at: at(20))
        #expect(!second)
        #expect(pauses.wakeAt.map { $0 > at(20) && $0 <= at(10 + LookPauses.milliseconds) } == true)
        let later = pauses.admits("one", at: at(LookPauses.milliseconds))
        #expect(later)
        let due = pauses.due(at: at(10 + LookPauses.milliseconds))
        #expect(due == ["other"] && pauses.wakeAt == nil)
    }

    @Test("A file that is to be looked at again is due when its pause is over, whether or not it was in one", arguments: [false, true])
    func again(isInPause: Bool) {
        var pauses = LookPauses()
        let now = MonotonicInstant.now()
        let isAdmitted = !isInPause || pauses.admits("a", at: now)
        pauses.repeatLook("a", at: now)
        let end = now.advanced(byMilliseconds: LookPauses.milliseconds)
        let wakeAt = pauses.wakeAt
        let due = [pauses.due(at: now), pauses.due(at: end)]
        #expect(isAdmitted && wakeAt == end && due == [[], ["a"]] && pauses.wakeAt == nil)
    }
}
