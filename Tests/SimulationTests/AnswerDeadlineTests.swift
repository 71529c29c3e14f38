import Daemon
import Linux
import Testing

@Suite struct AnswerDeadlineTests {
    private static let time = AnswerDeadline.milliseconds
    private static let late = AnswerDeadline.lateMilliseconds

    @Test("A process that does not answer in time counts as silent, but not because of a check that comes late", arguments: [
        (looks: [time - 1], isSilent: false), ([time], true), ([time - 1, time + late], true), ([time + late + 1], false),
        ([time + late + 1, 2 * time + late], false), ([time + late + 1, 2 * time + late + 1], true),
    ])
    func looks(at looks: [Int64], isSilent: Bool) {
        var answer = AnswerDeadline()
        answer.isWanted(from: MonotonicInstant(milliseconds: 0))
        var found = false
        for look in looks { found = answer.isOver(at: MonotonicInstant(milliseconds: look)) }
        #expect(found == isSilent)
    }

    @Test("An answer ends the time, and a second question does not lengthen it")
    func answers() {
        var answer = AnswerDeadline()
        answer.isWanted(from: MonotonicInstant(milliseconds: 0))
        answer.isWanted(from: MonotonicInstant(milliseconds: Self.time - 1))
        #expect(answer.by == MonotonicInstant(milliseconds: Self.time))
        answer.came()
        #expect(answer.by == nil)
        let isOver = answer.isOver(at: MonotonicInstant(milliseconds: Self.time))
        #expect(!isOver)
    }
}
