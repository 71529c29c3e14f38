import Linux
import Store

extension DiskFileSystem {
    /// The entries for jobs in new/, running/, done/ or failed/.
    func jobNames(in directory: String) throws(SystemError) -> [DirectoryEntry] {
        var found: [DirectoryEntry] = []
        for entry in try list(directory) where !Name.isUnfinished(entry.name) {
            if try !isStranger(entry.name, in: directory, isDirectory: entry.kind == .directory) { found.append(entry) }
        }
        return found
    }
}
