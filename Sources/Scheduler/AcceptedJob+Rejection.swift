extension AcceptedJob {
    /// The reason of a rejection, with the position of the key in the job's own text: `job.toml:2:10: after "nobody": …`. A key
    /// that comes from the task has no position there.
    ///
    /// - Parameter name: the string at fault, if the key has several.
    func rejection(_ key: String, naming name: String, _ why: String) -> Obstacle {
        Obstacle(reason: .rejected, error: place(of: key, naming: name) + why)
    }

    /// The text was read when the job was accepted. It is read again because a definition stores no positions, and few jobs are
    /// rejected.
    private func place(of key: String, naming name: String) -> String {
        // A text that cannot be read was rejected for that before.
        guard let value = (try? source.table())?[key] else { return "" }
        return "\(file?.name ?? source.fileName):\(Self.position(of: name, in: value) ?? value.position): "
    }

    private static func position(of name: String, in value: Value) -> Position? {
        switch value.kind {
        case .string(let text): text == name ? value.position : nil
        case .array(let elements): elements.lazy.compactMap { position(of: name, in: $0) }.first
        case .table(let table): table.entries.lazy.compactMap { position(of: name, in: $0.value) }.first
        default: nil
        }
    }
}
