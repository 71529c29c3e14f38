import Glibc
import Linux
import Store

/// The output of one job that `top` follows: the end of the present output, and what is written later.
final class TopLog {
    private(set) var page: LogPage
    private let id: String
    private let session: Session
    private let feed: TopFeed
    private var file = Layout.outputFile
    private var open: (raw: Int32, inode: UInt64, offset: Int64)?
    private var openWatch: Int32?

    /// If an output is longer than this, or grows faster, only its end is read.
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

    /// Handles a key; false when the key returns to the lists.
    func take(_ key: Key, rows: Int) -> Bool {
        if key == .character("e") {
            file = file == Layout.outputFile ? Layout.errorFile : Layout.outputFile
            shut()
            page.clear()
            return true
        }
        return page.take(key, page: max(1, rows - 2))
    }

    /// Finds the job, and reads new output.
    func refresh() throws(Failure) {
        try session.asOwner { () throws(Failure) in try read(try feed.record(of: id)) }
    }

    private func read(_ record: JobRecord?) throws(Failure) {
        guard let record else {
            page.title = "was removed"
            return try copy()
        }
        let status = record.status
        let tries = status.tries > 1 ? "  try \(status.attempt)/\(status.tries)" : ""
        let progress = record.place.state == .running ? status.progress.map { "  \($0.percent)%" } ?? "" : ""
        page.title = "\(file)  \(status.state.isTerminal ? status.brief : record.place.state.rawValue)\(tries)\(progress)"
        page.remark =
            switch record.place.state {
            case .new: "it has not begun"
            case .running: "nothing written yet"
            case .done, .failed: "it has written nothing"
            }
        if !record.place.isFile { try openCurrent("\(record.place.path)/\(file)") }
        try copy()
    }

    /// Opens the present try's output, unless it is open already: each try has a file of its own.
    private func openCurrent(_ path: String) throws(Failure) {
        do throws(SystemError) {
            let opened = try FileDescriptor.open("\(session.spoolPath)/\(path)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
            let status = try opened.status()
            guard status.kind == .file, status.inode != open?.inode else { return }
            shut()
            page.clear()
            // The watch is added before reading, so that later output is reported.
            openWatch = feed.watch.add(path, [.modified], as: .log)
            open = (opened.release(), status.inode, 0)
        } catch {
            // The job has not begun, or has moved: the next refresh finds the file.
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
