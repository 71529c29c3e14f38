// A damaged segment becomes one without damage.
//
// Invariants:
// - Nothing that can be read is left out, and the damaged segment stays beside it as `NAME.log.damaged`.
// - The new one takes the old one's name by one rename, when it is on the disk: a crash leaves the one or the other.
// - What the damage may have told and the tree still tells comes behind the old lines, then the state as it was before the
//   segment, which its damaged head may have lost, and last that it was repaired.

import Glibc

extension Spool {
    /// The state that the newest segment tells, as far as it can be read; with the state before it, if it is damaged.
    public static func replay(_ fs: FS, _ segment: SalvagedSegment, before: SalvagedSegment?, _ context: ReadingContext) -> Scheduler {
        let scheduler = Scheduler(zones: context.zones)
        let older = segment.damage.isEmpty ? [] : before?.lines ?? []
        for line in older + segment.lines {
            var context = context
            context.now = line.fields.at
            // A record that this version does not know changes nothing; the daemon says so.
            if let record = line.fields.record(context) { scheduler.restore(record, at: line.fields.at) }
        }
        return scheduler
    }

    /// Puts a segment without the damage in the place of a damaged one. Returns where that is kept.
    ///
    /// - Parameter isNewest: it is the state; an older one is history alone.
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
        // All of it is on the disk before it has the name.
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
            // For what has ended there is nothing in it, and jobs that live come once more as they are.
            _ = scheduler.finishRestoring()
            entries += scheduler.snapshot(at: context.now)
        }
        let last = [segment.last, before?.last].compactMap(\.self).max() ?? context.now
        entries.append((context.now, .repaired(since: min(last, context.now))))
        return entries
    }

    /// Keeps a file beside itself, under a name that is free.
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
