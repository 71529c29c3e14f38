import Linux
import Store

/// A task that is exported: the values that every form of export needs.
struct ExportedTask {
    let name: String
    let job: JobDefinition
    /// The task's keys as in its file.
    let table: Table
    let schedules: [Schedule]
    /// The user that runs the jobs when the task names none.
    let owner: User

    struct Schedule {
        let definition: ScheduleDefinition
        /// True when the times follow the machine's clock, in whichever zone that is.
        let isLocal: Bool
    }

    /// The user that runs the jobs.
    var user: String {
        switch job.user {
        case .name(let name): name
        // An unknown user number stays a number; cron or systemd refuses it.
        case .number(let id): ((try? User.find(id: id)) ?? nil)?.name ?? String(id)
        case nil: owner.name
        }
    }
    var isForAnother: Bool { job.user.map { !$0.isAccount(owner.id, owner.name) } ?? false }

    /// The absolute directory in which the jobs run.
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
            // A schedule in a file of its own does not use the task's zone.
            let says = definition.saysLocal ?? (schedule.file == nil ? ofTask : nil)
            return ExportedTask.Schedule(
                definition: definition, isLocal: !definition.recurrence.namesZone && (says ?? (definition.zone.name == local)))
        }
        return ExportedTask(name: name, job: job, table: table, schedules: schedules, owner: try spoolOwner())
    }

    /// The zone of the machine's clock.
    func localZone() throws(Failure) -> String {
        do throws(RecurrenceError) { return try zones.zone("local").name } catch { throw .invalid("\(error)") }
    }

    /// The user that runs the spool's jobs.
    private func spoolOwner() throws(Failure) -> User {
        if let owner { return owner }
        return try attempt { () throws(SystemError) in
            let id = try FileStatus.read(spoolPath, followingLinks: true).owner
            return try User.find(id: id) ?? User(id: id, group: 0, name: String(id), home: "/", shell: "/bin/sh")
        }
    }
}
