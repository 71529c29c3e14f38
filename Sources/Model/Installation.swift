/// The layout of installed programs.
public enum Installation {
    /// The paths at which the worker may be, in this order, for a program in a directory: beside it, as `swift build` puts the programs, or
    /// in `../libexec/spoold`, as packages do.
    public static func workerPaths(ofProgramIn directory: String) -> [String] {
        let above = directory[..<(directory.lastIndex(of: "/") ?? directory.startIndex)]
        return ["\(directory)/spool-worker", "\(above)/libexec/spoold/spool-worker"]
    }

    /// The path of an executor's program, in a directory beside the worker.
    public static func executorPath(_ name: String, besideWorker worker: String) -> String {
        "\(worker[..<(worker.lastIndex(of: "/") ?? worker.startIndex)])/executors/\(name)"
    }
}
