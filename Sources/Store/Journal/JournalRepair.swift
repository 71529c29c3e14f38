// Replaces a damaged segment by one without damage.
//
// Invariants:
// - Everything readable is kept, and the damaged segment stays beside the new one as `NAME.log.damaged`.
// - The new segment takes the old one's name by one rename, when it is on the disk: a crash leaves one or the other.
// - After the old lines come the facts that the damage may have contained and the tree still shows, then the state before the
//   segment, which its damaged head may have lost, and last a record of the repair.

import Glibc

extension Spool {
    /// The state of the newest segment, as far as it can be read. If the segment is damaged, together with the state before it.
    public static func replay(_ fs: FS, _ segment: SalvagedSegment, before: SalvagedSegment?, _ context: ReadingContext) -> Scheduler {
        let scheduler = Scheduler(zones: context.zones)
        let older = segment.damage.isEmpty ? [] : before?.lines ?? []
        for line in older + segment.lines {
            var context = context
            context.now = line.fields.at
            // A record that this version does not know has no effect. The daemon reports it.
            if let record = line.fields.record(context) { scheduler.restore(record, at: line.fields.at) }
        }
        return scheduler
    }

    /// Replaces a damaged segment by one without the damage. Returns the place where the damaged one is kept.
    ///
    /// - Parameter isNewest: the segment is the state. An older segment is only history.
    public func mendJournal(
        _ name: String, isNewest: Bool, before: String?, spoolID: String, _ context: ReadingContext
    ) throws(SystemError) -> String {
        let segment = try Journal.salvage(fs, segment: name)
        precondition(segment.foreign == nil && segment.unread == nil, "what was not read is not damaged")
        var (text, first, sequence) = segment.rewritten(spool: spoolID, at: context.now)
        if isNewest {
            let older = try before.map { name throws(SystemError) in try Journal.salvage(fs, segment: name) }
            for entry in try entries(behind: segment, older, context) {
                text.append(entry.record, sequence: sequence, at: entry.at)
                sequence += 1
            }
        }
        let kept = try keep(segment.path)
        // The file is completely on the disk before it gets the name.
        text.endBatch(sequence - first)
        _ = try fs.placeDurably(text.bytes, at: segment.path)
        return kept
    }

    private func entries(
        behind segment: SalvagedSegment, _ before: SalvagedSegment?, _ context: ReadingContext
    ) throws(SystemError) -> [SpoolTruth<FS>.Entry] {
        let scheduler = Self.replay(fs, segment, before: before, context)
        let beginning = Instant(milliseconds: Int64.min / 4)
        var truth = SpoolTruth(fs, scheduler, context)
        var entries = try truth.records(.all(since: segment.header?.at ?? before?.last ?? beginning))
        for entry in entries { scheduler.restore(entry.record, at: entry.at) }
        if before != nil {
            // Ended jobs need nothing from it, and living jobs are written again with their present state.
            _ = scheduler.finishRestoring()
            entries += scheduler.snapshot(at: context.now)
        }
        let last = [segment.last, before?.last].compactMap(\.self).max() ?? context.now
        entries.append((context.now, .repaired(since: min(last, context.now))))
        return entries
    }

    /// Keeps a file beside itself, under a free name.
    private func keep(_ path: String) throws(SystemError) -> String {
        var kept = "\(path).damaged"
        var number = 1
        while try !fs.keep(path, as: kept) {
            number += 1
            kept = "\(path).damaged.\(number)"
        }
        try fs.sync(kept)
        try fs.sync(Layout.journal)
        return kept
    }
}
