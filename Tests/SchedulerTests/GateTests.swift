import Testing

@testable import Scheduler

@Suite struct GateTests {
    @Test func nothingStartsWhileTheGateIsClosedAndNobodyLooksWithoutNeed() {
        let world = World()
        var looks = 0
        func turn(_ isOpen: Bool) -> [String] {
            let turn = world.scheduler.takeTurn(at: world.now) {
                looks += 1
                return isOpen
            }
            return turn.starts.map(\.name)
        }
        #expect(turn(false) == [] && looks == 0 && !world.scheduler.isHeld)
        world.drop("a")
        world.drop("b", "priority = 1")
        world.drop("late", "start = \"in 1h\"")
        #expect(turn(false) == [] && looks == 1 && world.scheduler.isHeld)
        #expect(turn(true) == ["b", "a"] && looks == 2 && !world.scheduler.isHeld)
        #expect(turn(false) == [] && looks == 2 && !world.scheduler.isHeld)
    }
}
