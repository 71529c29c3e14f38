import Scheduler
import Store

/// A request for jobs in `control/`: `{"do": "cancel", "id": "ID"}`, or `"ids": ["ID", …]` for many jobs in one turn.
struct JobRequest {
    enum Action {
        case cancel
        case kill(signal: Int32)
        case extend(Limit)
        case update(Text)
    }

    /// A new limit of a running try.
    enum Limit {
        /// This many milliseconds later. A try without a limit gets one, this many milliseconds from now.
        case later(milliseconds: Int64)
        /// This many milliseconds after the start of the try.
        case at(milliseconds: Int64)
    }

    /// A new text of a waiting job.
    struct Text {
        /// The name of a file in tmp/.
        var file: String
        /// The inode of the file that the text replaces.
        var inode: UInt64
    }

    var action: Action
    /// The jobs without duplicates, in the order of the request.
    var ids: [JobID]
    /// The request has `ids`: its answer has a part for each job.
    var isForMany: Bool

    /// Throws a sentence with the fault of the request.
    init(_ table: Table) throws(RequestProblem) {
        let names = try Self.names(table)
        guard case .string(let what)? = table["do"]?.kind, !names.isEmpty else {
            throw RequestProblem("the request names no action or no id")
        }
        isForMany = table["ids"] != nil
        var seen = Set<JobID>()
        ids = []
        for name in names {
            guard let id = JobID(name) else { throw RequestProblem("the request names no action or no id: \"\(name)\" is no job's id") }
            if seen.insert(id).inserted { ids.append(id) }
        }
        switch what {
        case "cancel": action = .cancel
        case "kill": action = .kill(signal: try Self.signal(table["signal"]))
        case "extend":
            guard ids.count == 1 else { throw RequestProblem("extend takes one id") }
            if let to = table["to"] {
                action = .extend(.at(milliseconds: try Self.milliseconds(to, "to")))
            } else {
                action = .extend(.later(milliseconds: try Self.milliseconds(table["by"], "by")))
            }
        case "update":
            guard ids.count == 1, !isForMany else { throw RequestProblem("update takes one id") }
            action = .update(try Self.text(table))
        default: throw RequestProblem("unknown action \"\(what)\"")
        }
    }

    private static func names(_ table: Table) throws(RequestProblem) -> [String] {
        if case .string(let text)? = table["id"]?.kind, table["ids"] == nil { return [text] }
        guard case .array(let values)? = table["ids"]?.kind, table["id"] == nil else { return [] }
        guard values.count <= RequestLimits.jobs else { throw RequestProblem("the request names more than \(RequestLimits.jobs) jobs") }
        var names: [String] = []
        for value in values {
            guard case .string(let text) = value.kind else { throw RequestProblem("ids: each is a job's id in quotes") }
            names.append(text)
        }
        return names
    }

    private static func signal(_ value: Value?) throws(RequestProblem) -> Int32 {
        guard case .integer(let number)? = value?.kind else { return 9 }
        guard (1...64).contains(number) else { throw RequestProblem("\(number) is not a signal") }
        return Int32(number)
    }

    private static func text(_ table: Table) throws(RequestProblem) -> Text {
        guard let file = table.text("file"), !file.isEmpty, !file.hasPrefix("."), !file.utf8.contains(UInt8(ascii: "/")) else {
            throw RequestProblem("update needs the name of a file in tmp/")
        }
        guard let inode = table.text("inode").flatMap({ UInt64($0) }) else {
            throw RequestProblem("update needs the inode of the file that the new text replaces")
        }
        return Text(file: file, inode: inode)
    }

    private static func milliseconds(_ value: Value?, _ key: String) throws(RequestProblem) -> Int64 {
        let span: Span?
        do throws(RecurrenceError) {
            span =
                switch value?.kind {
                case .string(let text)?: try Span.parse(text)
                case .integer(let seconds)?: try Span(seconds: Double(seconds))
                case .number(let seconds)?: try Span(seconds: seconds.double)
                default: nil
                }
        } catch {
            throw RequestProblem("\(key): \(error)")
        }
        guard let milliseconds = span?.approximateMilliseconds else {
            throw RequestProblem("the request does not say how long: \(key) is a duration")
        }
        guard milliseconds > 0 else { throw RequestProblem("\(key): the duration must be more than 0") }
        return milliseconds
    }
}

/// The reason why a request cannot be carried out for any job.
struct RequestProblem: Error {
    var sentence: String

    init(_ sentence: String) { self.sentence = sentence }
}

/// The answer to a request: an exit code for spoolctl and a sentence. The answer to a request with `ids` has both for each job,
/// and for the whole request the first code that is not 0.
struct RequestAnswer {
    var request: String
    var code: Int
    var message: String
    /// The time until which the job may run, for an answer to `extend`.
    var until: Instant?
    private(set) var jobs: [(id: JobID, code: Int, message: String)]?

    init(_ request: String, _ code: Int, _ message: String) {
        self.request = request
        self.code = code
        self.message = message
    }

    init(_ request: String, jobs: [(id: JobID, code: Int, message: String)]) {
        let failures = jobs.count { $0.code != 0 }
        self.init(request, jobs.first { $0.code != 0 }?.code ?? 0, failures == 0 ? "" : "not for \(failures) of \(jobs.count) jobs")
        self.jobs = jobs
    }

    var json: [UInt8] {
        var writer = JSONWriter(reserving: 128 + 128 * (jobs?.count ?? 0))
        writer.beginObject()
        writer.member("code", code)
        writer.member("message", message)
        if let until { writer.member("until", until) }
        if let jobs {
            writer.key("jobs")
            writer.beginArray()
            for job in jobs {
                writer.beginObject()
                writer.member("id", job.id.text)
                writer.member("code", job.code)
                writer.member("message", job.message)
                writer.endObject()
            }
            writer.endArray()
        }
        writer.endObject()
        return writer.bytes
    }
}
