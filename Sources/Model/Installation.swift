/// The layout of installed programs.
public enum Installation {
    /// The paths at which the worker may be, in this order, for a program in a directory: beside it, as `swift build` puts the programs, or
    /// in `../libexec/spoold`, as packages do.
    public static func workerPaths(ofProgramIn directory: String) -> [String] {
        let above = directory[..<(directory.lastIndex(of: "/") ?? directory.startIndex)]
        return ["\(directory)/spool-worker", "\(above)/libexec/spoold/spool-worker"]
    }
}
