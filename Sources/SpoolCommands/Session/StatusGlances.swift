import Linux
import Store

/// Looks at the statuses of many ended jobs as they are written, one place after the other, and reads some ahead by several threads.
struct StatusGlances {
    private let look: @Sendable (UnsafeRawBufferPointer) -> Bool
    /// One for each thread. The one at an index belongs to that thread alone while it reads.
    private var readers: [RecordReader] = []
    private var first = 0
    private var answers: [Bool] = []

    /// The number of statuses that are read ahead, at the beginning and at most: usually few places are asked for.
    private static let (aheadFirst, aheadMax) = (8, 8192)
    /// A thread that has fewer statuses than this costs more than it saves.
    private static let threadLeast = 256
    /// More threads than this would mostly wait for the same directory.
    private static let threadsMax = 4

    /// - Parameter look: returns false when the status cannot match.
    init(_ look: @escaping @Sendable (UnsafeRawBufferPointer) -> Bool) { self.look = look }

    /// The answer for the place at an index that is not before those of earlier calls. True for a job that has not ended, and when the
    /// status cannot be looked at.
    mutating func mayBe(_ index: Int, of places: [JobPlace], _ fs: DiskFileSystem) -> Bool {
        if index >= first + answers.count {
            let count = min(max(Self.aheadFirst, 2 * answers.count), Self.aheadMax)
            first = index
            answers = looks(at: places[index..<min(index + count, places.count)], fs)
        }
        return answers[index - first]
    }

    private mutating func looks(at places: ArraySlice<JobPlace>, _ fs: DiskFileSystem) -> [Bool] {
        let wanted = max(1, min(Machine.processors(), Self.threadsMax, places.count / Self.threadLeast))
        while readers.count < wanted, let reader = fs.recordReader() { readers.append(reader) }
        let count = min(wanted, readers.count)
        guard count > 0 else { return places.map { _ in true } }
        let parts = (0..<count).map { part in
            places[(places.startIndex + places.count * part / count)..<(places.startIndex + places.count * (part + 1) / count)]
        }
        let look = look
        let others = (1..<count).map { index in
            nonisolated(unsafe) let reader = readers[index]
            let part = parts[index]
            return Later { reader.looks(at: part, look) }
        }
        return readers[0].looks(at: parts[0], look) + others.flatMap { $0.get() }
    }
}
