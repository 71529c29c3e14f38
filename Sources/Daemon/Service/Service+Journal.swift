import Store

// The journal that somebody has taken away or changed while it is in use.

extension Service {
    /// Writes the journal from memory where its segment is gone, or is not what was written. Nothing of what stands there is deleted.
    /// Returns whether that was so. All that was decided is in the journal, and carried out.
    package func writeJournalAnew() throws(SystemError) -> Bool {
        let isInPlace = try spool.journal.isInPlace()
        if isInPlace, try spool.journal.isAsWritten() { return false }
        let old = "\(Layout.journal)/\(spool.journal.segment)"
        try rotateJournal()
        var what = "\(old) was taken away"
        // As a segment of the past it would be a damaged one.
        if isInPlace {
            let kept = try persistently { () throws(SystemError) in try self.spool.fs.setAside(old) }
            what = "\(old) was cut off or written to by somebody, and is \(kept) now"
        }
        let new = spool.journal.segment
        log.write(.warning, "mended", at: now, ["what": "wrote \(Layout.journal)/\(new) from memory: \(what)"])
        report(
            problem: ["\(what), at \(now.rfc3339); \(new) was written from memory, and only the records of jobs tell what was before"],
            of: Layout.journal, inForce: "the state in memory")
        return true
    }
}
