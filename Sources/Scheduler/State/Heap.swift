/// A binary heap with the smallest element first.
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

    /// Costs one look at each element and, if some are not kept, about two comparisons for each other one.
    mutating func keep(where isKept: (Element) -> Bool) {
        let kept = elements.filter(isKept)
        guard kept.count < elements.count else { return }
        elements = kept
        for parent in (0..<kept.count / 2).reversed() { sink(parent) }
    }

    @discardableResult
    package mutating func removeFirst() -> Element? {
        guard let smallest = elements.first, let last = elements.popLast() else { return nil }
        if elements.isEmpty { return smallest }
        elements[0] = last
        sink(0)
        return smallest
    }

    /// Moves an element down until none below it is smaller.
    private mutating func sink(_ element: Int) {
        var parent = element
        while true {
            var child = 2 * parent + 1
            guard child < elements.count else { break }
            if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
            guard elements[child] < elements[parent] else { break }
            elements.swapAt(child, parent)
            parent = child
        }
    }
}
