import Store

extension JobFilter {
    /// Calls `body` for each matching record of one part of the spool, the newest first, until `body` returns false.
    ///
    /// - Parameters:
    ///   - before: only jobs whose ids sort before this one.
    ///   - looksMax: the number of jobs that are looked at.
    /// - Returns: the id of the last job that was looked at, when the limit has ended the search; else nil.
    @discardableResult
    func scan(
        _ session: Session, fromOldest: Bool = false, before: String? = nil, looksMax: Int = .max, _ body: (JobRecord) -> Bool
    ) throws(Failure) -> String? {
        var records = try session.records()
        var places = try session.reading { () throws(JournalError) in try records.places(in: states) }
        if let end = places.firstIndex(where: { judge($0.id) == .olderThanAll }) { places.removeSubrange(end...) }
        if let before { places.removeAll { $0.id >= before } }
        places.removeAll { judge($0.id) != .matches }
        if fromOldest { places.reverse() }
        var glances = StatusGlances(needles.mayBe)
        var previous: String?
        var looks = 0
        for (index, place) in places.enumerated() where place.id != previous {
            if looks == looksMax { return previous }
            // A job that moved while the names were read is listed twice, in neighbouring places.
            previous = place.id
            looks += 1
            guard needles.isEmpty || glances.mayBe(index, of: places, records.fs) else { continue }
            guard let record = try session.record(at: place, &records), matches(record) else { continue }
            guard body(record) else { return nil }
        }
        return nil
    }
}
