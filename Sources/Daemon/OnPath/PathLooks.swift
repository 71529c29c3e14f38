import Linux

/// Paths to look at, each once at a time: now, or when a while has passed.
struct PathLooks {
    /// What is known of a path that is to be looked at.
    struct Reason {
        /// It was seen to be removed or moved away since the last look.
        var wasRemoved = false
        /// An event told of it, not a listing.
        var isEvent = false
        /// It came while no daemon looked.
        var isMissed = false
        /// It has come anew, though it looks as it did before.
        var isReplaced = false
        /// The fingerprint that it had at the last look: if it still has it, it has stood long enough.
        var settled: UInt64?
        /// How often it was found to be open for writing.
        var writerLooks = 0
    }

    enum Wait: CaseIterable {
        case none
        /// For the file system's clock to go on: what is changed after this has another time. It steps with the kernel's tick, at
        /// most 10 ms (time(7), HZ).
        case tick
        /// For somebody who has it open for writing and whose closing may not be told: it was linked in.
        case writer
        /// For one who takes long.
        case longWriter

        var nanoseconds: Int64 {
            switch self {
            case .none: 0
            case .tick: 20_000_000
            case .writer: 500_000_000
            case .longWriter: 60_000_000_000
            }
        }
    }

    private struct Entry {
        var path: ExactPath
        var number: UInt64
        var at: Int64
    }

    /// In the order of their time, as each wait is always as long.
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

    /// To be looked at after a wait; what waits for it already and no longer, stays.
    mutating func add(_ path: ExactPath, _ reason: Reason = Reason(), after wait: Wait = .none) {
        var reason = reason
        if let known = waiting[path] {
            reason.wasRemoved = reason.wasRemoved || known.reason.wasRemoved
            reason.isReplaced = reason.isReplaced || known.reason.isReplaced
            reason.isEvent = reason.isEvent || known.reason.isEvent
            reason.isMissed = reason.isMissed && known.reason.isMissed
            if known.wait.nanoseconds <= wait.nanoseconds {
                waiting[path]?.reason = reason
                return
            }
        }
        number += 1
        waiting[path] = (reason, wait, number)
        queues[wait, default: Queue()].entries.append(
            Entry(path: path, number: number, at: wait == .none ? 0 : Clock.monotonicNanoseconds() + wait.nanoseconds))
    }

    /// The next one whose time has come.
    mutating func next(at time: Int64) -> (path: ExactPath, reason: Reason)? {
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

    /// When the next one's time comes, in nanoseconds of the monotonic clock, 0 for at once; nil: there is none.
    mutating func nextTime() -> Int64? {
        var time: Int64?
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
