import Crontabs
import Linux
import Store

/// The tasks that the spool has, as an import compares them with its own.
struct KnownTasks {
    private var taken: Set<String>
    /// What the tasks say that no line has claimed, by their names; read when first asked for.
    private var definitions: [String: [UInt8]] = [:]
    private let catalog: TaskCatalog?

    init(_ session: Session) throws(Failure) {
        // A spool that is not there yet has no tasks, and a dry run makes none.
        let status = try attempt { () throws(SystemError) -> FileStatus? in
            do throws(SystemError) { return try FileStatus.read("\(session.spoolPath)/\(Layout.tasks)") } catch {
                if error.errno == SystemError.noSuchFile { return nil }
                throw error
            }
        }
        catalog = status == nil ? nil : try TaskCatalog(session, withSchedules: false)
        taken = Set(try catalog?.names() ?? [])
    }

    /// Whether a task of that name, or of that name and a number, says the same. Each is claimed once, for cron runs a line that stands
    /// there twice twice.
    mutating func claim(_ task: CrontabTask) throws(Failure) -> Bool {
        guard let catalog, let wanted = Self.meaning(of: task.source) else { return false }
        for name in taken.filter({ Self.isNumbered($0, task.name) }).sorted(by: { ($0.utf8.count, $0) < ($1.utf8.count, $1) }) {
            if definitions[name] == nil { definitions[name] = try catalog.entry(name).task.flatMap { Self.meaning(of: $0.source) } ?? [] }
            if definitions[name] == wanted {
                definitions[name] = []
                return true
            }
        }
        return false
    }

    mutating func freeName(_ base: String) -> String {
        var name = base
        var number = 1
        while !taken.insert(name).inserted {
            number += 1
            name = "\(base)-\(number)"
        }
        // What the import writes is claimed by the line that it is written for.
        definitions[name] = []
        return name
    }

    private static func isNumbered(_ name: String, _ base: String) -> Bool {
        guard name.hasPrefix(base) else { return false }
        let rest = name.dropFirst(base.count)
        return rest.isEmpty || rest.first == "-" && Int(rest.dropFirst()) != nil
    }

    /// The definition without its comments and its author's layout; nil when it cannot be read.
    private static func meaning(of source: Source) -> [UInt8]? {
        guard let table = try? source.table() else { return nil }  // a task that cannot be read is like no other
        return Source(writing: table).bytes
    }
}
