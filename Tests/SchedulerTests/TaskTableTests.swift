import TestSupport
import Testing

@testable import Scheduler

@Suite struct TaskTableTests {
    @Test("A table finds the tasks that a dictionary finds, after any additions and removals", arguments: 1...20)
    func likeADictionary(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var table = TaskTable()
        var dictionary: [String: TaskState] = [:]
        for _ in 0..<2000 {
            let name = "t\(Int.random(in: 0..<300, using: &random))"
            if dictionary[name] == nil {
                let task = TaskState(name: name)
                table.insert(task)
                dictionary[name] = task
            } else if Bool.random(using: &random) {
                table.remove(name)
                dictionary[name] = nil
            }
            table.remove("absent")
        }
        #expect(table.count == dictionary.count && Set(table.keys) == Set(dictionary.keys))
        for number in 0..<300 { #expect(table["t\(number)"] === dictionary["t\(number)"]) }
    }
}
