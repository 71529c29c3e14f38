import Linux
import Store

/// Says whether a daemon serves the spool, and since when none does.
struct DaemonState {
    /// Since when no daemon serves the spool; nil while one does.
    let down: Downtime?
    /// The status that a daemon published last.
    let published: Table?

    init(_ session: Session, _ fs: DiskFileSystem) throws(Failure) {
        let isUp = try session.daemon() != nil
        let table = try session.daemonTable(fs)
        published = table
        if isUp {
            down = nil
        } else {
            down = Downtime(
                from: table?.instant("at") ?? Instant(milliseconds: 0), wasStopped: table?.text("state") == "stopped", to: nil)
        }
    }
}

extension Session {
    /// The daemon's published status; nil when there is none, or when it is damaged: the daemon writes it again.
    func daemonTable(_ opened: DiskFileSystem? = nil) throws(Failure) -> Table? {
        let fs: DiskFileSystem
        if let opened { fs = opened } else { fs = try openSpool() }
        let taken = try attempt { () throws(SystemError) in
            try fs.take(Layout.daemonStatus, limit: Source.bytesMax, ignoringWriters: true)
        }
        guard case .file(_, let bytes) = taken else { return nil }
        guard let table = JSON.readableTable(bytes) else { return nil }  // damaged
        return table
    }
}
