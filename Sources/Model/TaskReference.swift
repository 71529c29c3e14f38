/// A task that a definition names as what is to be started or waited for. That it does not exist is no error of the definition:
/// it may come later. So whoever knows the tasks warns.
public struct TaskReference: Sendable, Equatable {
    /// `on_failure`, `after` …
    public let key: String
    public let task: String
    public let position: Position
}

extension Table {
    /// The tasks that a task's or a job's keys name, `task` itself left out. Values that are no task's name are passed over:
    /// lines for the shell, argvs, ids of jobs, and whatever the reader of the definition refuses.
    public var taskReferences: [TaskReference] {
        var references: [TaskReference] = []
        for key in ["on_success", "on_failure", "on_end", "on_overdue"] {
            guard let value = self[key], case .string(let text) = value.kind, Name.isValid(text) else { continue }
            references.append(TaskReference(key: key, task: text, position: value.position))
        }
        guard var value = self["after"] else { return references }
        if case .table(let table) = value.kind, let all = table["all"] { value = all }
        var elements = [value]
        if case .array(let list) = value.kind { elements = list }
        for element in elements {
            guard case .string(let text) = element.kind, Name.isValid(text), JobID(text) == nil else { continue }
            references.append(TaskReference(key: "after", task: text, position: element.position))
        }
        return references
    }
}
