import Linux
import Store

/// A task in the form of another scheduler: what every form needs of it, and what is lost on the way.
struct ExportedTask {
    let name: String
    let job: JobDefinition
    /// The task's keys as they stand in its file.
    let table: Table
    let schedules: [Schedule]
    /// As whom its jobs run when it names nobody.
    let owner: User

    struct Schedule {
        let definition: ScheduleDefinition
        /// Its times are those of the machine's clock, whatever zone that has.
        let isLocal: Bool
    }

    /// As whom its jobs run.
    var user: String {
        switch job.user {
        case .name(let name): name
        // A number that nobody has stays one, and is refused by who reads it.
        case .number(let id): ((try? User.find(id: id)) ?? nil)?.name ?? String(id)
        case nil: owner.name
        }
    }
    var isForAnother: Bool { job.user.map { !$0.isAccount(owner.id, owner.name) } ?? false }

    /// Where its jobs start, absolute.
    var directory: String {
        let directory = job.directory ?? "~"
        if directory == "~" || directory.hasPrefix("~/") { return owner.home + directory.dropFirst() }
        return directory.hasPrefix("/") ? directory : "\(owner.home)/\(directory)"
    }

    var enabled: [Schedule] { schedules.filter(\.definition.enabled) }
}

extension Session {
    func exportedTask(_ name: String) throws(Failure) -> ExportedTask {
        let entry = try TaskCatalog(self).entry(name)
        let task = try inForce(entry)
        let job: JobDefinition
        let table: Table
        let context = try context()
        do throws(Problems) {
            job = try task.job(context).definition
            table = try task.source.table()
        } catch { throw Failure(file: "tasks/\(name)", error) }
        let local = try localZone()
        let ofTask: Bool? = if case .string(let text)? = table["timezone"]?.kind { text == "local" } else { nil }
        let schedules = entry.schedules.map { schedule in
            let definition = schedule.definition
            // A schedule in a file of its own does not go by its task's zone.
            let says = definition.saysLocal ?? (schedule.file == nil ? ofTask : nil)
            return ExportedTask.Schedule(
                definition: definition, isLocal: !definition.recurrence.namesZone && (says ?? (definition.zone.name == local)))
        }
        return ExportedTask(name: name, job: job, table: table, schedules: schedules, owner: try spoolOwner())
    }

    /// What the machine's clock goes by.
    func localZone() throws(Failure) -> String {
        do throws(RecurrenceError) { return try zones.zone("local").name } catch { throw .invalid("\(error)") }
    }

    /// As whom the spool's jobs run.
    private func spoolOwner() throws(Failure) -> User {
        if let owner { return owner }
        return try attempt { () throws(SystemError) in
            let id = try FileStatus.read(spoolPath, followingLinks: true).owner
            return try User.find(id: id) ?? User(id: id, group: 0, name: String(id), home: "/", shell: "/bin/sh")
        }
    }
}
