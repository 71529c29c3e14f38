import Glibc
import Linux
import Store

struct JobList {
    let session: Session
    private let filter: JobFilter
    private let columns: [JobColumn]?
    private let order: (column: JobColumn, isDescending: Bool)?
    private let isCount: Bool
    private let limit: Int
    /// The jobs are shown as the usual table on a terminal.
    private let isTable: Bool
    /// The jobs are shown as a table on a terminal.
    private var saysWhatIsLeftOut: Bool { !isCount && session.output.isTerminal && !session.isJSON && !session.isQuiet }
    /// Jobs that started because another ended, such as mails, are left out of the usual table unless they are asked for.
    private let leavesFollowUpsOut: Bool

    /// - Parameter ofTotals: the list is read for the sums of `--by`, which `--sort` and `--limit` apply to.
    init(_ session: Session, ofTotals: Bool = false) throws(Failure) {
        self.session = session
        try session.noOperands()
        filter = try JobFilter(session)
        columns = try session.arguments.value("columns").map { list throws(Failure) in
            var columns: [JobColumn] = []
            for name in list.split(separator: ",") { columns.append(try JobColumn(String(name), option: "columns")) }
            guard !columns.isEmpty else { throw .usage("--columns needs names, separated by commas") }
            return columns
        }
        order = ofTotals ? nil : try session.arguments.value("sort").map { key throws(Failure) in
            let isDescending = key.hasPrefix("-")
            return (try JobColumn(isDescending ? String(key.dropFirst()) : key, option: "sort"), isDescending)
        }
        isCount = session.arguments.flag("count")
        isTable = !isCount && !ofTotals && JobListWriter.isUsualTable(session, columns)
        leavesFollowUpsOut = isTable && !session.arguments.flag("all") && !filter.namesJobs
        limit = try session.count("limit", default: session.output.isTerminal && !isCount && !ofTotals ? 50 : 0)
    }

    func run() throws(Failure) -> Int32 {
        if !isCount { try session.remarkIfNotServed() }
        if filter.needsNoStatus, order == nil, limit == 0, isCount {
            var count = 0
            let code = try EverybodysSpool.each(session) { part throws(Failure) in
                var records = try part.records()
                count += try part.reading { () throws(JournalError) in
                    try records.count(in: filter.states) { if case .matches = filter.judge($0) { true } else { false } }
                }
            }
            write(count: count)
            return code
        }
        if filter.needsNoStatus, order == nil, limit == 0, session.isQuiet && !session.isJSON {
            var ids: [(id: String, shown: String)] = []
            let code = try EverybodysSpool.each(session) { part throws(Failure) in ids += try self.ids(part) }
            for id in ids.sorted(by: { $0.id < $1.id }) { session.output.line(id.shown) }
            return code
        }
        if order == nil, limit == 0, !isCount, !isTable, try EverybodysSpool.users(session).isEmpty {
            var writer = JobListWriter(session, columns)
            var left = LeftOut()
            try eachRecord(session, fromOldest: true, leftOut: &left, limit: 0) { writer.write(session.qualified($0)) }
            writer.finish()
            return ExitCode.done
        }
        var found: [JobRecord] = []
        var left = LeftOut()
        var notes: [String: String] = [:]
        var parts = 0
        let code = try EverybodysSpool.each(session) { part throws(Failure) in
            let records = try self.records(part, &left)
            if isTable { for (id, note) in try WaitingNotes(part, records).all() { notes[part.qualified(id)] = note } }
            found += records.map(part.qualified)
            parts += 1
        }
        if parts > 1 { found.sort { $0.place.id < $1.place.id } }
        if let order {
            if limit > 0 { left.more = max(0, found.count - limit) }
            found = sorted(found, by: order.column, isDescending: order.isDescending)
        } else if limit > 0 {
            if found.count > limit { left.areOlder = true }
            found = Array(found.suffix(limit))
        }
        if isCount {
            write(count: found.count)
        } else {
            var writer = JobListWriter(session, columns)
            for record in found { writer.write(record, waits: notes[record.status.id]) }
            writer.finish()
            if saysWhatIsLeftOut { write(left) }
        }
        return code
    }

    /// The matching records of one part of the spool, the newest last; with a limit and no order, the newest ones.
    private func records(_ session: Session, _ left: inout LeftOut) throws(Failure) -> [JobRecord] {
        var found: [JobRecord] = []
        let limit = order == nil ? limit : 0
        try eachRecord(session, fromOldest: false, leftOut: &left, limit: limit) { found.append($0) }
        return found.reversed()
    }

    /// The matching jobs that a table does not show.
    private struct LeftOut {
        var followUps = 0
        var failedFollowUps = 0
        /// True when there may be more jobs than the limit.
        var areOlder = false
        /// The number of jobs that come after the limit in the order of a column.
        var more = 0
    }

    /// Calls `body` for each matching record of one part of the spool, without keeping any.
    private func eachRecord(
        _ session: Session, fromOldest: Bool, leftOut: inout LeftOut, limit: Int, _ body: (JobRecord) -> Void
    ) throws(Failure) {
        var count = 0
        try filter.scan(session, fromOldest: fromOldest) { record in
            if leavesFollowUpsOut, record.status.isFollowUp {
                leftOut.followUps += 1
                if record.place.state == .failed { leftOut.failedFollowUps += 1 }
                return true
            }
            if limit > 0, count == limit {
                leftOut.areOlder = true
                return false
            }
            body(record)
            count += 1
            // A table says that there are more.
            return count != limit || saysWhatIsLeftOut
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

    /// Says below a table what it does not show.
    private func write(_ left: LeftOut) {
        if left.followUps > 0 {
            let jobs = left.followUps == 1 ? "1 follow-up job" : "\(left.followUps) follow-up jobs"
            let failed = left.failedFollowUps == 0 ? "" : " (\(left.failedFollowUps) failed)"
            let them = left.followUps == 1 ? "it" : "them"
            session.output.line(session.output.coloured("\(jobs)\(failed) not shown; --all shows \(them)", .dim))
        }
        if left.more > 0 { session.output.line(session.output.coloured("\(left.more) more not shown; --limit 0 shows all", .dim)) }
        if left.areOlder { session.output.line(session.output.coloured("older jobs not shown; --limit 0 shows all", .dim)) }
    }
}

extension JobList {
    /// Prints the sums of `--by` over all matching jobs. `--sort` and `--limit` apply to the sums; the longest total comes first.
    static func writeTotals(_ session: Session, by word: String) throws(Failure) -> Int32 {
        guard let key = JobTotals.Key(rawValue: word) else {
            throw .unknown(word, of: "by", among: JobTotals.Key.allCases.map(\.rawValue))
        }
        for option in ["columns", "count"] where session.arguments.given.contains(where: { $0.name == option }) {
            throw .usage("--by does not go with --\(option)")
        }
        var order = JobTotals.Order.total
        var isDescending = true
        if let sort = session.arguments.value("sort") {
            isDescending = sort.hasPrefix("-")
            let word = isDescending ? String(sort.dropFirst()) : sort
            guard let given = JobTotals.Order(rawValue: word == key.rawValue ? "name" : word) else {
                throw .unknown(word, of: "sort", among: JobTotals.Order.allCases.map(\.rawValue))
            }
            order = given
        }
        let list = try JobList(session, ofTotals: true)
        var totals = JobTotals(by: key)
        let code = try EverybodysSpool.each(session) { part throws(Failure) in
            var left = LeftOut()
            try list.eachRecord(part, fromOldest: true, leftOut: &left, limit: 0) { record in
                totals.add(part.qualified(record).status, now: session.now)
            }
        }
        totals.write(to: session, order: order, isDescending: isDescending, limit: list.limit)
        return code
    }
}

extension Session {
    /// A record as root sees it: with the user's name, also in the names of jobs and tasks.
    func qualified(_ record: JobRecord) -> JobRecord {
        guard let owner, Reader.isRoots else { return record }
        var record = record
        record.status.qualify(by: owner.name)
        let status = record.status
        var table = record.table
        table.set("user", Value(.string(owner.name)))
        let names = [
            ("id", status.id), ("name", status.name), ("task", status.task), ("retry_of", status.retryOf), ("parent", status.parent),
            ("overdue_task", status.overdueTask),
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
        guard let table = JSON.readableTable(json, limits: .status) else { return Table() }
        return table
    }
}
