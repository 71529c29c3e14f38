import Store

/// The remarks of `--verbose` on standard error: the spool, daemon and configuration that a command uses, and each file that it
/// changes.
extension Session {
    func describeSurroundings() {
        guard !spoolPath.isEmpty else { return }  // opening the spool reports why there is none
        let origin = arguments.value("spool") != nil ? "--spool" : environment("SPOOL_DIR") != nil ? "SPOOL_DIR" : "the default"
        complain("spool: \(spoolPath), from \(origin)")
        do throws(Failure) {
            complain("daemon: \(try daemon().map { "process \($0.pid) on \($0.host)" } ?? "none serves this spool")")
        } catch {
            for line in error.lines { complain("daemon: \(line)") }
        }
        let file = configurationPath.map { FileName.isAccessible($0) ? $0 : "\($0), which does not exist: the defaults count" }
        complain("configuration: \(file ?? "the defaults")")
    }

    /// Reports each rename and removal in the spool.
    func reportChanges(of fs: DiskFileSystem) {
        guard arguments.flag("verbose") else { return }
        fs.reportChange = { [weak self] change in self?.complain(change) }
    }
}
