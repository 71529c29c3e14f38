import Glibc
import Linux
import Store

/// The output of one job that `top` follows: the end of what there is, and what comes.
final class TopLog {
    private(set) var page: LogPage
    private let id: String
    private let session: Session
    private let feed: TopFeed
    private var file = Layout.outputFile
    private var open: (raw: Int32, inode: UInt64, offset: Int64)?
    private var openWatch: Int32?

    /// Of an output that is longer, or grows faster, the end is read.
    private static let bytesMax: Int64 = 1 << 20

    init(_ session: Session, _ feed: TopFeed, id: String) {
        self.session = session
        self.feed = feed
        self.id = id
        page = LogPage(id: session.qualified(id))
    }

    deinit { shut() }

    private func shut() {
        if let open { close(open.raw) }
        if let openWatch { feed.watch.remove(openWatch) }
        open = nil
        openWatch = nil
    }

    /// Takes a key; false: back to the lists.
    func take(_ key: Key, rows: Int) -> Bool {
        if key == .character("e") {
            file = file == Layout.outputFile ? Layout.errorFile : Layout.outputFile
            shut()
            page.clear()
            return true
        }
        return page.take(key, page: max(1, rows - 2))
    }

    /// Looks where the job is by now, and reads what has come.
    func refresh() throws(Failure) {
        try session.asOwner { () throws(Failure) in try read(try feed.record(of: id)) }
    }

    private func read(_ record: JobRecord?) throws(Failure) {
        guard let record else {
            page.title = "is gone"
            return try copy()
        }
        let status = record.status
        let tries = status.tries > 1 ? "  try \(status.attempt)/\(status.tries)" : ""
        let progress = record.place.state == .running ? status.progress.map { "  \($0.percent)%" } ?? "" : ""
        page.title = "\(file)  \(status.state.isTerminal ? status.brief : record.place.state.rawValue)\(tries)\(progress)"
        page.remark = record.place.state == .new ? "it has not begun" : record.place.state == .running ? "nothing written yet" : "it has written nothing"
        if !record.place.isFile { try openCurrent("\(record.place.path)/\(file)") }
        try copy()
    }

    /// Opens the output, when it is another file than the one that is open: each try has its own.
    private func openCurrent(_ path: String) throws(Failure) {
        do throws(SystemError) {
            let opened = try FileDescriptor.open("\(session.spoolPath)/\(path)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
            let status = try opened.status()
            guard status.kind == .file, status.inode != open?.inode else { return }
            shut()
            page.clear()
            // Before it is read, so that what is written afterwards is told.
            openWatch = feed.watch.add(path, [.modified], as: .log)
            open = (opened.release(), status.inode, 0)
        } catch {
            // Not begun, or moved on meanwhile: the next look finds it.
            if error.errno != SystemError.noSuchFile { throw Failure(error) }
        }
    }

    private func copy() throws(Failure) {
        guard var current = open else { return }
        var status = stat()
        guard fstat(current.raw, &status) == 0 else { throw Failure(SystemError(call: "stat", path: file, errno: errno)) }
        let size = Int64(status.st_size)
        if size - current.offset > Self.bytesMax || size < current.offset {
            page.clear()
            current.offset = max(0, size - Self.bytesMax)
        }
        while current.offset < size {
            let offset = current.offset
            var failure: Int32 = 0
            let chunk = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
                let result = pread(current.raw, buffer.baseAddress, buffer.count, off_t(offset))
                count = max(result, 0)
                failure = result < 0 ? errno : 0
            }
            if failure == EINTR { continue }
            if failure != 0 { throw Failure(SystemError(call: "read", path: file, errno: failure)) }
            if chunk.isEmpty { break }
            page.take(chunk)
            current.offset += Int64(chunk.count)
        }
        open = current
    }
}
