import Linux
import Store

extension DiskFileSystem {
    /// Removes the record of an ended job. Renames it out of its directory first, so that no reader sees a partial record. Returns false
    /// when the record is gone: the daemon has removed it.
    @discardableResult
    func removeRecord(at place: JobPlace) throws(SystemError) -> Bool {
        precondition(place.state.isTerminal, "only records of ended jobs are removed")
        let away = "\(Layout.temporary)/\(place.id).pruned"
        do throws(SystemError) { try rename(place.path, to: away) } catch {
            if error.errno == SystemError.noSuchFile { return false }
            throw error
        }
        try removeTree(away)
        return true
    }
}
