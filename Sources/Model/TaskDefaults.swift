/// Keys of the configuration that apply to each run of a task that says nothing else.
///
/// They are added to the run's keys when the run is made. The run's own text then has them, so a later change of the configuration
/// changes no run that exists already, and a replayed journal owes no other notices than before.
public struct TaskDefaults: Sendable {
    public var mail: Value?
    public var onFailure: Value?

    public init() {}

    /// The defaults that apply to a task with these keys, by key. A default task that starts after failures does not start itself.
    public func added(to table: Table, ofTask name: String) -> [(key: String, value: Value)] {
        var added: [(key: String, value: Value)] = []
        if let mail, table["mail"] == nil { added.append(("mail", mail)) }
        if let onFailure, table["on_failure"] == nil {
            if case .string(name) = onFailure.kind { return added }
            added.append(("on_failure", onFailure))
        }
        return added
    }
}

extension Table {
    /// Adds the defaults to the keys of a task's run, and removes the keys by which the task declines them, such as `mail = false`.
    mutating func add(_ defaults: TaskDefaults, ofTask name: String) {
        for (key, value) in defaults.added(to: self, ofTask: name) { set(key, value) }
        for key in ["mail", "on_failure"] { if case .boolean(false)? = self[key]?.kind { remove(key) } }
    }
}
