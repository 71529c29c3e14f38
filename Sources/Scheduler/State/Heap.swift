/// A binary heap with the smallest element first. Void elements stay until they are at the top, and the caller checks for them.
package struct Heap<Element: Comparable> {
    private var elements: [Element] = []

    package init() {}

    package var first: Element? { elements.first }
    var count: Int { elements.count }
    var isEmpty: Bool { elements.isEmpty }

    /// The elements for which `isIncluded` holds, in no order. It must also hold for every element that is smaller than one of
    /// them.
    func all(while isIncluded: (Element) -> Bool) -> [Element] {
        var found: [Element] = []
        var open = [0]
        while let index = open.popLast() {
            guard index < elements.count, isIncluded(elements[index]) else { continue }
            found.append(elements[index])
            open += [2 * index + 1, 2 * index + 2]
        }
        return found
    }

    package mutating func insert(_ element: Element) {
        elements.append(element)
        var child = elements.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard elements[child] < elements[parent] else { break }
            elements.swapAt(child, parent)
            child = parent
        }
    }

    @discardableResult
    package mutating func removeFirst() -> Element? {
        guard let smallest = elements.first, let last = elements.popLast() else { return nil }
        if elements.isEmpty { return smallest }
        elements[0] = last
        var parent = 0
        while true {
            var child = 2 * parent + 1
            guard child < elements.count else { break }
            if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
            guard elements[child] < elements[parent] else { break }
            elements.swapAt(child, parent)
            parent = child
        }
        return smallest
    }
}

/// A job with an instant that matters while it waits for its next try.
struct TimedJob: Comparable {
    let instant: Instant
    let job: Job
    let attempt: Int

    init(_ instant: Instant, _ job: Job) {
        self.instant = instant
        self.job = job
        attempt = job.attempt
    }

    var isValid: Bool { job.state == .new && !job.isDead && job.attempt == attempt }

    /// At equal instants, the first to arrive comes first: the order must not depend on the history of the heap, or a restart
    /// would change it.
    static func < (a: Self, b: Self) -> Bool {
        a.instant != b.instant ? a.instant < b.instant : a.job.arrival < b.job.arrival
    }
    static func == (a: Self, b: Self) -> Bool { a.instant == b.instant && a.job === b.job }
}

/// A schedule and its next due time.
struct TimedSchedule: Comparable {
    let instant: Instant
    let schedule: ScheduleState

    var isValid: Bool { schedule.next == instant }

    func isMissed(at now: Instant) -> Bool { now.milliseconds - instant.milliseconds > Scheduler.missedAfterMilliseconds }

    /// At equal instants, ordered by name, for the same reason.
    static func < (a: Self, b: Self) -> Bool {
        if a.instant != b.instant { return a.instant < b.instant }
        return (a.schedule.task, a.schedule.id) < (b.schedule.task, b.schedule.id)
    }
    static func == (a: Self, b: Self) -> Bool { a.instant == b.instant && a.schedule === b.schedule }
}
