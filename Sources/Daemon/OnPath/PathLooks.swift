import Linux

/// Paths to look at, each once at a time: now, or when a while has passed.
struct PathLooks {
    /// The reason why a path must be examined.
    struct Reason {
        /// An event reported since the last look that the file was removed or moved away.
        var wasRemoved = false
        /// An event reported the file, not a listing.
        var isEvent = false
        /// The file came while no daemon looked.
        var isMissed = false
        /// The file was replaced, though it has the same fingerprint.
        var isReplaced = false
        /// The fingerprint at the last look. A file that still has it is not being changed.
        var settled: UInt64?
        /// The number of checks that found the file open for writing.
        var writerLooks = 0
    }

    enum Wait: CaseIterable {
        case none
        /// Until the file system's clock has advanced, so that a later change gives the file another time. That clock advances with the
        /// kernel's tick, of at most 10 ms (time(7), HZ).
        case tick
        /// For a writer whose close may not be reported, because the file was linked in.
        case writer
        /// For a writer who takes long.
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

    /// In the order of their times, because all waits of a kind are equally long.
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

    /// The clock has passed this moment.
    private static let atOnce = MonotonicInstant(nanoseconds: 0)

    /// Has a path looked at after a wait. An earlier request that is due sooner keeps its time.
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

    /// The time of the next check. Nil when there is none.
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
