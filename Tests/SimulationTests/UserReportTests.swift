import Model
import Testing

@testable import Daemon

@Suite struct UserReportTests {
    @Test(
        "What a user's daemon reports is read as it was meant",
        arguments: [
            .needs(running: 3, isShort: true, grant: 12, waiting: 0), .needs(running: 0, isShort: false, grant: 0, waiting: 4711),
            .rest(until: Instant(milliseconds: .max)), .refused("no session: permission denied"), .refused(""), .tookCrontab,
        ] as [UserReport])
    func readBack(_ report: UserReport) {
        #expect(report.text.hasSuffix("\n") && UserReport(line: String(report.text.dropLast())) == report)
    }

    @Test(
        "A line that says nothing is left out",
        arguments: [
            "", "needs", "needs 1 0 3", "needs 1 0 3 x", "needs 1 0 3 4 5", "rest", "rest soon", "took", "took crontab 2", "slots 3",
        ])
    func nothing(_ line: String) { #expect(UserReport(line: line) == nil) }
}
