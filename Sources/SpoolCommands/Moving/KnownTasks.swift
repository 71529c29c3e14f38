import Crontabs
import Linux
import Store

/// The spool's tasks, with which an import compares its own.
struct KnownTasks {
    private var taken: Set<String>
    /// The definitions of tasks that no line has claimed, by name; read when first needed.
    private var definitions: [String: [UInt8]] = [:]
    private let catalog: TaskCatalog?

    init(_ session: Session) throws(Failure) {
        // A missing spool has no tasks, and a dry run does not create it.
        let status = try attempt { () throws(SystemError) -> FileStatus? in
            do throws(SystemError) { return try FileStatus.read("\(session.spoolPath)/\(Layout.tasks)") } catch {
                if error.errno == SystemError.noSuchFile { return nil }
                throw error
            }
        }
        catalog = status == nil ? nil : try TaskCatalog(session, withSchedules: false)
        taken = Set(try catalog?.names() ?? [])
    }

    /// True when a task of this name, or of this name and a number, has the same definition. Each task is claimed once: cron runs a line
    /// that is in the file twice two times.
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
        // A task that this import writes is claimed by its own line.
        definitions[name] = []
        return name
    }

    private static func isNumbered(_ name: String, _ base: String) -> Bool {
        guard name.hasPrefix(base) else { return false }
        let rest = name.dropFirst(base.count)
        return rest.isEmpty || rest.first == "-" && Int(rest.dropFirst()) != nil
    }

    /// The definition without comments and layout; nil when it cannot be read.
    private static func meaning(of source: Source) -> [UInt8]? {
        guard let table = try? source.table() else { return nil }  // an unreadable task equals no other
        return Source(writing: table).bytes
    }
}
