import Documents

/// A run as the lines of an executor's input name it: see spool-executor(7).
public struct ExecutorRun: Sendable, Hashable {
    public var id: String
    /// The number of the run's files in its job's directory.
    public var number: Int
    /// The path of the job's directory.
    public var directory: String

    public init(id: String, number: Int, directory: String) {
        self.id = id
        self.number = number
        self.directory = directory
    }

    /// The name of a run at its engine.
    public static func name(id: String, number: Int) -> String { "spoold-\(id)-\(number)" }

    /// The beginning of its line: an object that is still open.
    public func beginLine() -> JSONWriter {
        var writer = JSONWriter(reserving: 1024)
        writer.beginObject()
        writer.member("id", id)
        writer.member("try", number)
        writer.member("name", Self.name(id: id, number: number))
        writer.member("directory", directory)
        return writer
    }
}
