import Daemon
import Linux
import Testing

@Suite struct LineLimitTests {
    @Test("The number of lines in a time is limited for each user and kind, and the lines left out are counted once")
    func counts() {
        var limit = LineLimit()
        func write(_ count: Int, _ kind: String, _ user: String, at time: Int64) -> Int {
            var written = 0
            for _ in 0..<count where limit.admits(kind, of: user, at: MonotonicInstant(milliseconds: time)) { written += 1 }
            return written
        }
        #expect(write(LineLimit.lines + 5, "accepted", "alice", at: 0) == LineLimit.lines)
        #expect(write(7, "ended", "alice", at: 0) == 7 && write(7, "accepted", "bob", at: 10) == 7)
        #expect(limit.next == MonotonicInstant(milliseconds: LineLimit.milliseconds))
        let early = limit.takeOver(at: MonotonicInstant(milliseconds: LineLimit.milliseconds - 1))
        #expect(early.isEmpty)
        #expect(write(2, "accepted", "alice", at: LineLimit.milliseconds) == 0, "said first")
        let said = limit.takeOver(at: MonotonicInstant(milliseconds: LineLimit.milliseconds))
        #expect(said == [LineLimit.LeftOut(user: "alice", kind: "accepted", count: 7)])
        #expect(limit.next == nil)
        let again = limit.takeOver(at: MonotonicInstant(milliseconds: 2 * LineLimit.milliseconds))
        #expect(again.isEmpty)
        #expect(write(LineLimit.lines + 1, "accepted", "alice", at: LineLimit.milliseconds) == LineLimit.lines)
    }

    @Test("A user who stays below the limit loses no line")
    func below() {
        var limit = LineLimit()
        for round in 0..<10 {
            for _ in 0..<LineLimit.lines {
                let isWritten = limit.admits(
                    "started", of: "alice", at: MonotonicInstant(milliseconds: Int64(round) * LineLimit.milliseconds))
                #expect(isWritten)
            }
        }
        #expect(limit.next == nil)
    }
}
