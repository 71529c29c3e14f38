/// A task that a definition names, to be started or waited for. A missing task is not an error of the definition, because it may
/// be created later. The caller, who knows the tasks, warns.
public struct TaskReference: Sendable, Equatable {
    /// The key: `on_failure`, `after` …
    public let key: String
    public let task: String
    public let position: Position
}

extension Table {
    /// The tasks that the keys of a task or a job name, except `task` itself. Values that are not the name of a task are skipped:
    /// shell commands, argument lists, ids of jobs, and values that the definition's reader refuses.
    public var taskReferences: [TaskReference] {
        var references: [TaskReference] = []
        for key in ["on_start", "on_slow", "on_success", "on_failure", "on_end", "on_recovery", "on_overdue"] {
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
