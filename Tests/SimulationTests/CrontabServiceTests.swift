import Crontabs
@testable import Daemon
@testable import Simulation
import Store
import Testing

/// The lines of crontabs in the service, without a machine.
@Suite struct CrontabServiceTests {
    private static let path = "/etc/cron.d/x"

    private final class Database {
        var error: SystemError?
        var users: Set = ["alice", "bob"]
        private(set) var questions: [String] = []

        func isUser(_ name: String) throws(SystemError) -> Bool {
            questions.append(name)
            if let error { throw error }
            return users.contains(name)
        }

        func forgetQuestions() { questions = [] }
    }

    private func notice(_ text: String, _ world: SimulatedWorld) throws {
        world.service?.noticed(crontab: CrontabFile(path: Self.path, .text(Array(text.utf8), changedAt: nil)))
        try world.turn()
    }

    private func commands(_ world: SimulatedWorld) throws -> [String] {
        try #require(world.service).scheduler.tasks.values.compactMap { $0.crontab == nil ? nil : $0.name }.sorted()
    }

    @Test("Each user is asked for once; without an answer nothing changes and little is asked, and it is asked again later")
    func database() throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        let service = try #require(world.service)
        let database = Database()
        service.setUsers(database.isUser)
        try notice("1 1 * * * alice one\n2 1 * * * alice two\n3 1 * * * bob three\n4 1 * * * carol four\n", world)
        #expect(try commands(world) == ["cron.d-x-one", "cron.d-x-three", "cron.d-x-two"])
        #expect(database.questions.sorted() == ["alice", "bob", "carol"])
        database.error = SystemError(call: "getpwnam", errno: 5)
        database.forgetQuestions()
        try notice("1 1 * * * alice one\n5 1 * * * bob five\n6 1 * * * alice six\n", world)
        #expect(try commands(world) == ["cron.d-x-one", "cron.d-x-three", "cron.d-x-two"])
        #expect(database.questions == ["alice"])
        #expect(service.health.problems[Self.path]?.first?.contains("its users cannot be looked up now") == true)
        #expect(service.crontabsOfOtherUsers() == [Self.path])
        database.error = nil
        let wait = try #require(world.millisecondsToWake)
        #expect(wait <= 10_000)
        world.pass(milliseconds: wait)
        try world.turn()
        #expect(try commands(world) == ["cron.d-x-five", "cron.d-x-one", "cron.d-x-six"])
        #expect(service.health.problems[Self.path] == nil && service.crontabsOfOtherUsers().isEmpty)
        database.users.remove("bob")
        #expect(service.crontabsOfOtherUsers() == [Self.path])
    }

    @Test("A run of a line takes no slot, also after the line is gone, the journal was begun anew and the daemon started again")
    func slot() throws {
        let world = SimulatedWorld()
        world.configuration.slots = 1
        try world.startDaemon()
        try notice("CRON_TZ=UTC\n* * * * * root long\n", world)
        world.pass(milliseconds: 60_000)
        try world.turn()
        let service = try #require(world.service)
        #expect(service.scheduler.runningCount == 1 && service.scheduler.slotsUsed == 0)
        service.noticed(crontab: CrontabFile(path: Self.path, .gone))
        try world.turn()
        try world.rotate()
        world.killDaemon()
        try world.startDaemon()
        let next = try #require(world.service)
        #expect(next.scheduler.tasks.values.allSatisfy { $0.crontab == nil })
        #expect(next.scheduler.runningCount == 1 && next.scheduler.slotsUsed == 0)
    }

    @Test("An editor that moves the file away first takes nothing away; a file that stays away has no tasks", arguments: [false, true])
    func gone(isRestarted: Bool) throws {
        let world = SimulatedWorld()
        try world.startDaemon()
        try notice("1 1 * * * root one\n2 1 * * * root two\n", world)
        world.service?.noticed(crontab: CrontabFile(path: Self.path, .gone))
        try world.turn()
        #expect(try commands(world) == ["cron.d-x-one", "cron.d-x-two"])
        try notice("2 1 * * * root two\n3 1 * * * root three\n", world)
        #expect(try commands(world) == ["cron.d-x-three", "cron.d-x-two"])
        world.pass(milliseconds: 5000)
        try world.turn()
        #expect(try commands(world) == ["cron.d-x-three", "cron.d-x-two"])
        world.service?.noticed(crontab: CrontabFile(path: Self.path, .gone))
        try world.turn()
        if isRestarted {
            world.killDaemon()
            try world.startDaemon()
        } else {
            world.pass(milliseconds: try #require(world.millisecondsToWake))
            try world.turn()
        }
        #expect(try commands(world).isEmpty)
    }

    @Test("A missed time of a line makes no run, and with crontab_catch_up = \"last\" one", arguments: [
        (Configuration.CrontabCatchUp.none, 0), (.last, 1),
    ])
    func catchUp(_ rule: Configuration.CrontabCatchUp, runs: Int) throws {
        let world = SimulatedWorld()
        world.configuration.crontabCatchUp = rule
        let text = "CRON_TZ=UTC\n30 2,3 * * * root fixed\n*/10 * * * * root often\n"
        world.otherCrontabs = [CrontabFile(path: Self.path, .text(Array(text.utf8), changedAt: nil))]
        try world.startDaemon()
        try world.turn()
        #expect(try commands(world) == ["cron.d-x-fixed", "cron.d-x-often"])
        try world.stopDaemon()
        world.pass(milliseconds: 2 * 3_600_000 + 300_000)
        try world.startDaemon()
        try world.turn()
        let service = try #require(world.service)
        for task in ["cron.d-x-fixed", "cron.d-x-often"] { #expect(service.scheduler.jobs.values.count { $0.task == task } == runs) }
    }

    @Test("Daemons that are wanted at the same time are started one after another before it")
    func starts() {
        let day = SimulatedWorld.start
        func at(_ seconds: Double) -> Instant { day.advanced(byMilliseconds: Int64(seconds * 1000)) }
        #expect(UserRests.starts(for: []) == [])
        #expect(UserRests.starts(for: [at(60), at(60), at(60), at(59.99), at(10)]) == [at(60), at(59.975), at(59.95), at(59.925), at(10)])
        let many = UserRests.starts(for: Array(repeating: at(60), count: 1000))
        #expect(Set(many).count == 1000 && many.last == at(60 - 0.025 * 999))
    }
}
