/// The tasks by name, in a third of the memory of a dictionary.
///
/// Invariants:
/// - A task is in the first free slot at or after that of its hash, so no free slot lies between the two.
/// - At most three of four slots are taken.
public struct TaskTable {
    private var slots: [TaskState?] = [nil, nil, nil, nil]
    public private(set) var count = 0

    public var isEmpty: Bool { count == 0 }

    public subscript(name: String) -> TaskState? { slots[slot(of: name)] }

    /// The tasks, in no order.
    public var values: Values { Values(slots: slots) }

    public var keys: [String] { values.map(\.name) }

    /// Adds a task whose name is not in the table.
    mutating func insert(_ task: TaskState) {
        if (count + 1) * 4 > slots.count * 3 {
            let old = slots
            slots = Array(repeating: nil, count: 2 * old.count)
            for case let task? in old { slots[slot(of: task.name)] = task }
        }
        slots[slot(of: task.name)] = task
        count += 1
    }

    mutating func remove(_ name: String) {
        var free = slot(of: name)
        guard slots[free] != nil else { return }
        slots[free] = nil
        count -= 1
        // Tasks after the free slot move up to it, unless they are where they belong.
        var next = (free + 1) & (slots.count - 1)
        while let task = slots[next] {
            let wanted = firstSlot(of: task.name)
            if (next - wanted) & (slots.count - 1) >= (next - free) & (slots.count - 1) {
                slots[free] = task
                slots[next] = nil
                free = next
            }
            next = (next + 1) & (slots.count - 1)
        }
    }

    private func firstSlot(of name: String) -> Int { name.hashValue & (slots.count - 1) }

    /// The slot of a task, or the free one into which it belongs.
    private func slot(of name: String) -> Int {
        var slot = firstSlot(of: name)
        while let task = slots[slot], task.name != name { slot = (slot + 1) & (slots.count - 1) }
        return slot
    }
}

extension TaskTable {
    /// The tasks, in no order. Not a sequence of the library, because other modules would call that through several generic functions a
    /// task, and all tasks are looked at some times in each start.
    public struct Values: Sequence, IteratorProtocol {
        private let slots: [TaskState?]
        private var place = 0

        fileprivate init(slots: [TaskState?]) { self.slots = slots }

        public mutating func next() -> TaskState? {
            while place < slots.count {
                defer { place += 1 }
                if let task = slots[place] { return task }
            }
            return nil
        }
    }
}
