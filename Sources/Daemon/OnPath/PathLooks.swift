import Linux

/// The paths to examine, now or after a wait. Each path is in here once at most.
struct PathLooks {
    /// The reason why a path must be examined.
    struct Reason {
        /// True when an event since the last examination reported that the file was removed or moved away.
        var wasRemoved = false
        /// True when an event reported the file, false when a listing found it.
        var isEvent = false
        /// True when the file arrived while no daemon watched.
        var isMissed = false
        /// True when the file was replaced by one with the same fingerprint.
        var isReplaced = false
        /// The fingerprint at the last examination. A file that still has it is not being changed.
        var settled: UInt64?
        /// The number of checks that found the file open for writing.
        var writerLooks = 0
    }

    enum Wait: CaseIterable {
        case none
        /// Waits until the file system's clock has advanced, so that a later change gives the file another time. This clock advances with
        /// the kernel's tick, at least once in 10 ms (time(7), HZ).
        case tick
        /// Waits for a writer. No event may report the close, because the file was linked into the directory.
        case writer
        /// Waits for a writer that has not finished after several checks.
        case longWriter

        var milliseconds: Int64 {
            switch self {
            case .none: 0
            case .tick: 20
            case .writer: 500
            case .longWriter: 60_000
            }
        }
    }

    private struct Entry {
        var path: ExactPath
        var number: UInt64
        var at: MonotonicInstant
    }

    /// The entries of one kind of wait. They are in the order of their times, because all waits of a kind are equally long.
    private struct Queue {
        var entries: [Entry] = []
        var first = 0

        var head: Entry? { first < entries.count ? entries[first] : nil }

        mutating func removeFirst() {
            first += 1
            if first == entries.count || first > 4096 {
                entries.removeFirst(first)
                first = 0
            }
        }
    }

    private var waiting: [ExactPath: (reason: Reason, wait: Wait, number: UInt64)] = [:]
    private var queues: [Wait: Queue] = [:]
    private var number: UInt64 = 0

    /// A moment that has always passed.
    private static let atOnce = MonotonicInstant(nanoseconds: 0)

    /// Adds a path to examine after a wait. If the path is already in here and due sooner, that time stays.
    mutating func add(_ path: ExactPath, _ reason: Reason = Reason(), after wait: Wait = .none) {
        var reason = reason
        if let known = waiting[path] {
            reason.wasRemoved = reason.wasRemoved || known.reason.wasRemoved
            reason.isReplaced = reason.isReplaced || known.reason.isReplaced
            reason.isEvent = reason.isEvent || known.reason.isEvent
            reason.isMissed = reason.isMissed && known.reason.isMissed
            if known.wait.milliseconds <= wait.milliseconds {
                waiting[path]?.reason = reason
                return
            }
        }
        number += 1
        waiting[path] = (reason, wait, number)
        queues[wait, default: Queue()].entries.append(
            Entry(path: path, number: number, at: wait == .none ? Self.atOnce : .now().advanced(byMilliseconds: wait.milliseconds)))
    }

    /// The next path whose time has come.
    mutating func next(at time: MonotonicInstant) -> (path: ExactPath, reason: Reason)? {
        for wait in Wait.allCases {
            while let entry = queues[wait]?.head, entry.at <= time {
                queues[wait]?.removeFirst()
                guard let known = waiting[entry.path], known.number == entry.number else { continue }
                waiting[entry.path] = nil
                return (entry.path, known.reason)
            }
        }
        return nil
    }

    /// The time at which the next path is due. Nil when there is none.
    mutating func nextTime() -> MonotonicInstant? {
        var time: MonotonicInstant?
        for wait in Wait.allCases {
            while let entry = queues[wait]?.head {
                if waiting[entry.path]?.number == entry.number {
                    time = min(time ?? entry.at, entry.at)
                    break
                }
                queues[wait]?.removeFirst()
            }
        }
        return time
    }
}
