/// The directories of jobs in running/ that this process has made and given to nobody.
///
/// Nobody else can have put a link in the place of such a directory, because running/ belongs to root, nor a link or a file into it. So
/// the files in it are reached by their paths, without opening the directory for each.
struct OwnDirectories {
    private var paths: Set<String> = []

    private static let prefix = "\(Layout.running)/"

    func contains(_ path: String) -> Bool { paths.contains(path) }

    mutating func made(_ path: String) { if path.hasPrefix(Self.prefix) { paths.insert(path) } }

    mutating func renamed(_ from: String, _ to: String) {
        let isOwn = paths.remove(from) != nil
        // Somebody may have moved the directory away that was there.
        paths.remove(to)
        if isOwn { made(to) }
    }

    /// The directory is removed, or belongs to somebody else from now on.
    mutating func leave(_ path: String) { paths.remove(path) }
}
