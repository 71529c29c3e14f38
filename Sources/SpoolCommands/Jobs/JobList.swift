import Glibc
import Store

struct JobList {
    let session: Session
    private let filter: JobFilter
    private let columns: [JobColumn]?
    private let order: (column: JobColumn, isDescending: Bool)?
    private let isCount: Bool
    private let limit: Int

    init(_ session: Session) throws(Failure) {
        self.session = session
        try session.noOperands()
        filter = try JobFilter(session)
        columns = try session.arguments.value("columns").map { list throws(Failure) in
            var columns: [JobColumn] = []
            for name in list.split(separator: ",") { columns.append(try JobColumn(String(name), option: "columns")) }
            guard !columns.isEmpty else { throw .usage("--columns needs names, separated by commas") }
            return columns
        }
        order = try session.arguments.value("sort").map { key throws(Failure) in
            let isDescending = key.hasPrefix("-")
            return (try JobColumn(isDescending ? String(key.dropFirst()) : key, option: "sort"), isDescending)
        }
        isCount = session.arguments.flag("count")
        limit = try session.count("limit", default: session.output.isTerminal && !isCount ? 50 : 0)
    }

    func run() throws(Failure) -> Int32 {
        if !isCount { try session.remarkIfNotServed() }
        if filter.needsNoStatus, order == nil, limit == 0, isCount || (session.isQuiet && !session.isJSON) {
            var ids: [(id: String, shown: String)] = []
            let code = try EverybodysSpool.each(session) { part throws(Failure) in ids += try self.ids(part) }
            writeIDs(ids.sorted { $0.id < $1.id }.map(\.shown))
            return code
        }
        if order == nil, limit == 0, !isCount, try EverybodysSpool.users(session).isEmpty {
            var writer = JobListWriter(session, columns)
            try eachRecord(session, fromOldest: true) { writer.write($0) }
            writer.finish()
            return ExitCode.done
        }
        var found: [JobRecord] = []
        var parts = 0
        let code = try EverybodysSpool.each(session) { part throws(Failure) in
            found += try self.records(part)
            parts += 1
        }
        if parts > 1 { found.sort { $0.place.id < $1.place.id } }
        if let order { found = sorted(found, by: order.column, isDescending: order.isDescending) }
        else if limit > 0 { found = Array(found.suffix(limit)) }
        isCount ? write(count: found.count) : write(found)
        return code
    }

    /// The matching records of one part of the spool, the newest last; with a limit and no order, the newest ones.
    func records(_ session: Session) throws(Failure) -> [JobRecord] {
        var found: [JobRecord] = []
        try eachRecord(session, fromOldest: false, limit: order == nil ? limit : 0) { found.append($0) }
        return found.reversed()
    }

    /// Calls `body` for each matching record of one part of the spool, without keeping any.
    func eachRecord(_ session: Session, fromOldest: Bool, limit: Int = 0, _ body: (JobRecord) -> Void) throws(Failure) {
        var records = try session.records()
        var places = try session.reading { () throws(JournalError) in try records.places(in: filter.states) }
        if let end = places.firstIndex(where: { filter.judge($0.id) == .olderThanAll }) { places.removeSubrange(end...) }
        if fromOldest { places.reverse() }
        var count = 0
        var previous: String?
        for place in places where place.id != previous && filter.judge(place.id) == .matches {
            // A job that moved while the names were read is listed twice, in neighbouring places.
            previous = place.id
            guard filter.needles.isEmpty || records.mayBe(place, filter.needles.mayBe) else { continue }
            guard let record = try session.record(at: place, &records), filter.matches(record) else { continue }
            body(session.qualified(record))
            count += 1
            if count == limit { return }
        }
    }

    /// The ids that match by their names alone; no file is read.
    func ids(_ session: Session) throws(Failure) -> [(id: String, shown: String)] {
        var records = try session.records()
        let places = try session.reading { () throws(JournalError) in try records.places(in: filter.states) }
        var seen: Set<String> = []
        return places.filter { place in
            guard case .matches = filter.judge(place.id) else { return false }
            return seen.insert(place.id).inserted
        }.map { ($0.id, session.qualified($0.id)) }
    }

    func writeIDs(_ ids: [String]) {
        if isCount { return write(count: ids.count) }
        for id in ids { session.output.line(id) }
    }

    /// The first `limit` records in the order of a column; equal ones stay in the order of their ids.
    func sorted(_ found: [JobRecord], by column: JobColumn, isDescending: Bool) -> [JobRecord] {
        let keyed = found.enumerated().map { ($0.offset, column.key($0.element, $0.element.table, now: session.now)) }
        let places = keyed.sorted { $0.1.comes(before: $1.1, descending: isDescending) ?? ($0.0 < $1.0) }
        return places.prefix(limit > 0 ? limit : Int.max).map { found[$0.0] }
    }

    // MARK: Writing

    func write(count: Int) {
        guard session.isJSON else { return session.output.line(String(count)) }
        session.output.jsonObject { writer in
            writer.member("count", count)
        }
    }

    func write(_ records: [JobRecord]) {
        var writer = JobListWriter(session, columns)
        for record in records { writer.write(record) }
        writer.finish()
    }
}

extension Session {
    /// A record as root sees it: with the user's name, also in the names of jobs and tasks.
    fileprivate func qualified(_ record: JobRecord) -> JobRecord {
        guard let owner, getuid() == 0 else { return record }
        var record = record
        record.status.qualify(by: owner.name)
        let status = record.status
        var table = record.table
        table.set("user", Value(.string(owner.name)))
        let names = [
            ("id", status.id), ("name", status.name), ("task", status.task), ("retry_of", status.retryOf), ("parent", status.parent),
        ]
        for (key, name) in names { if let name { table.set(key, Value(.string(name))) } }
        record.json = Array(JSON.write(Value(.table(table))).utf8)
        return record
    }
}

extension JobRecord {
    /// The record's JSON as a table.
    var table: Table {
        // The JSON was read, or written by spoolctl, before: it is valid.
        guard case .table(let table)? = (try? JSON.parse(json, limits: .status))?.kind else { return Table() }
        return table
    }
}
