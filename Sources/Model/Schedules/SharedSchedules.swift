import Synchronization

/// The schedules of many tasks in a spool say the same: each is read once and kept once.
///
/// Only schedules are shared that consist of a single key whose text means the same in each task at any time: `cron` with numbers, and
/// `every`. Their meaning follows from the text and the zone alone. The number of kept schedules is limited.
public final class SharedSchedules: Sendable {
    fileprivate struct Key: Hashable {
        let key: String
        let text: String
        /// The zone is kept alive by the schedule, so its identity is not used again for another zone.
        let zone: ObjectIdentifier
    }

    private static let countMax = 16_384

    private let schedules = Mutex<[Key: ScheduleDefinition]>([:])

    public init() {}

    /// The schedule that was kept for an equal table.
    func schedule(of table: Table, _ zone: Zone) -> ScheduleDefinition? {
        Key(table, zone).flatMap { key in schedules.withLock { $0[key] } }
    }

    /// Keeps a schedule that was read without a problem, if it can be shared.
    func keep(_ schedule: ScheduleDefinition, of table: Table, _ zone: Zone) {
        guard let key = Key(table, zone) else { return }
        schedules.withLock { schedules in
            if schedules.count >= Self.countMax { schedules.removeAll() }
            schedules[key] = schedule
        }
    }
}

extension SharedSchedules.Key {
    /// Nil when the schedule of the table cannot be shared.
    fileprivate init?(_ table: Table, _ zone: Zone) {
        guard table.count == 1, let entry = table.entries.first, case .string(let text) = entry.value.kind,
            entry.key == "every" || entry.key == "cron" && text.utf8.allSatisfy(Self.isPlain)
        else { return nil }
        self.init(key: entry.key, text: text, zone: ObjectIdentifier(zone))
    }

    /// True for the characters of numbers, lists, ranges and steps. `H` depends on the task's name, and `CRON_TZ=` on the zone that it
    /// names.
    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: " "), UInt8(ascii: "*"), UInt8(ascii: ","), UInt8(ascii: "-"),
            UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
