import Glibc
import Linux
import WorkerProtocol

/// The directory of a job on this machine, for an executor whose runs are on another one: it writes here what the wrapper would have
/// written.
///
/// Invariants:
/// - A mark appears whole or not at all, and what it stands for is on the disk before it: the output before `end.TRY`.
/// - Writing again what was written changes nothing. So a call that is killed at any point is repeated without harm.
/// - Every name is looked up in the directory that was opened. So one that is moved meanwhile gets what is written, in its new place, and
///   what has its old path then gets nothing.
struct LocalMarks: ~Copyable {
    private let directory: Directory
    let path: String
    let attempt: Int64

    init(_ path: String, attempt: Int64) throws(SystemError) {
        directory = try Directory.open(path)
        self.path = path
        self.attempt = attempt
    }

    // MARK: Marks

    var hasStarted: Bool { (try? directory.status("started.\(attempt)"))?.kind == .directory }  // not to be seen: not there

    var hasEnded: Bool { (try? directory.status("end.\(attempt)"))?.kind == .file }  // likewise

    /// Makes the start mark. Returns false when it was there.
    @discardableResult
    func markStart(host: String? = nil, pid: String? = nil, at: String? = nil) throws(SystemError) -> Bool {
        var isNew = true
        do throws(SystemError) { try directory.makeDirectory("started.\(attempt)", mode: 0o755) } catch {
            guard error.errno == EEXIST else { throw error }
            isNew = false
        }
        let mark = try directory.openDirectory("started.\(attempt)")
        for (name, value) in [("host", host), ("pid", pid), ("at", at)] {
            guard let value, (try? mark.status(name)) == nil else { continue }  // not there yet
            try mark.writeFile("\(name).tmp", Array("\(value)\n".utf8), mode: 0o644)
            try mark.rename("\(name).tmp", to: name)
        }
        if isNew { try directory.sync() }
        return isNew
    }

    /// Makes the start mark in the place of the wrapper, so that the run never begins, and writes that end. Returns false when the run has
    /// begun. The mark appears with the file `canceled` in it: so a call that was killed before the end is completed by the next one.
    func keepFromBeginning() throws(SystemError) -> Bool {
        let (mark, new) = ("started.\(attempt)", ".started.\(attempt).new")
        do throws(SystemError) { try directory.makeDirectory(new, mode: 0o755) } catch {
            // Of a call that was killed.
            guard error.errno == EEXIST else { throw error }
        }
        try directory.openDirectory(new).writeFile(Self.canceled, [])
        do throws(SystemError) { try directory.renameNoReplace(new, to: mark) } catch {
            try directory.removeTree(new)
            guard error.errno == EEXIST else { throw error }
            let there = try directory.openDirectory(mark)
            guard (try? there.status(Self.canceled)) != nil else { return false }  // not there: the wrapper's mark
        }
        if !hasEnded { try markEnd(Self.neverBegan) }
        return true
    }

    private static let canceled = "canceled"
    /// The end of a run that was kept from beginning.
    static let neverBegan = Array(#"{"never_began":true}"#.utf8)

    /// Puts the output on the disk, then the end mark.
    func markEnd(_ json: [UInt8]) throws(SystemError) {
        try markStart()
        for name in ["stdout", "stderr", "result", "progress"] {
            do throws(SystemError) { try directory.openFile(name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK).sync() } catch {
                // ENXIO, ELOOP, EISDIR: something that is no output of ours.
                guard [ENOENT, ENXIO, ELOOP, EISDIR].contains(error.errno) else { throw error }
            }
        }
        let line = json.last == UInt8(ascii: "\n") ? json : json + [UInt8(ascii: "\n")]
        try replace("end.\(attempt)", line)
        try directory.sync()
    }

    /// The text of the file `place.TRY` of a try whose end is in the spool. Nil when it is not, or cannot be seen.
    static func placeOfEnded(id: String, attempt: Int64, spool: String) -> String? {
        for state in ["running", "done", "failed"] {
            guard let marks = try? LocalMarks("\(spool)/\(state)/\(id)", attempt: attempt), marks.hasEnded,  // it is not in this state
                let bytes = try? marks.read("place.\(attempt)", limit: 1024)  // not to be read: it counts as not ended
            else { continue }
            return String(decoding: bytes, as: UTF8.self)
        }
        return nil
    }

    // MARK: Files

    func read(_ name: String, limit: Int) throws(SystemError) -> [UInt8]? {
        do throws(SystemError) { return try directory.readFile(name, limit: limit) } catch {
            if error.errno == ENOENT { return nil }
            throw error
        }
    }

    /// Writes a file by a new one, which is on the disk before it has the name.
    func replace(_ name: String, _ bytes: [UInt8]) throws(SystemError) {
        let new = "\(name).tmp"
        let file = try directory.openFile(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY, mode: 0o600)
        try file.write(bytes)
        try file.sync()
        try directory.rename(new, to: name)
    }

    /// Writes a file that nobody has written before. Returns the content of the one that is there otherwise.
    func claim(_ name: String, _ bytes: [UInt8]) throws(SystemError) -> [UInt8]? {
        let new = ".\(name).\(getpid())"
        let file = try directory.openFile(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY, mode: 0o600)
        try file.write(bytes)
        try file.sync()
        defer { try? directory.unlink(new) }  // litter at worst
        do throws(SystemError) { try directory.link(new, to: name) } catch {
            guard error.errno == EEXIST else { throw error }
            return try directory.readFile(name, limit: 4096)
        }
        try directory.sync()
        return nil
    }

    /// Removes the output files, before a try begins that has written nothing yet, and leaves an empty one to be followed.
    func clearOutput() throws(SystemError) {
        for name in ["stdout", "stderr"] {
            do throws(SystemError) { try directory.unlink(name) } catch { if error.errno != ENOENT { throw error } }
        }
        try write([], to: "stdout", at: 0)
    }

    /// An output as it is here before an engine is asked for more of it.
    func output(_ name: String) throws(SystemError) -> LocalOutput {
        do throws(SystemError) {
            return try LocalOutput(directory.openFile(name, O_RDWR | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK))
        } catch {
            guard error.errno == ENOENT else { throw error }
            return LocalOutput()
        }
    }

    /// Adds bytes to an output that has just been asked for. Bytes that are there already are the same. Returns false when it has to be
    /// asked for again: another call has made the file meanwhile.
    func add(_ bytes: [UInt8], to output: LocalOutput, _ name: String) throws(SystemError) -> Bool {
        if output.file == nil {
            // All that belongs to the end is here already.
            guard !hasEnded else { return false }
            do throws(SystemError) {
                output.file = try directory.openFile(name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY, mode: 0o600)
            } catch {
                guard error.errno == EEXIST else { throw error }
                return false
            }
        }
        try output.file?.write(bytes, at: output.size)
        return true
    }

    /// Writes bytes of a file to their place. Bytes that are there already are the same.
    func write(_ bytes: [UInt8], to name: String, at offset: Int64) throws(SystemError) {
        let flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK
        try directory.openFile(name, flags, mode: 0o600).write(bytes, at: offset)
    }

    func rename(_ name: String, to other: String) throws(SystemError) {
        try directory.openFile(name, O_RDONLY | O_NOFOLLOW).sync()
        try directory.rename(name, to: other)
    }

    func remove(_ name: String) throws(SystemError) {
        do throws(SystemError) { try directory.unlink(name) } catch { if error.errno != ENOENT { throw error } }
    }

    // MARK: Output past its limit

    /// Begins the shorter file that replaces an output of `size` bytes, `NAME.part`: its beginning and the notice. Returns the range of the
    /// end that is still missing in it, by its place in the output, and the place in the shorter file at which it begins.
    func beginCut(_ name: String, jobID: String, size: Int64, limit: Int64) throws(SystemError) -> (rest: Range<Int64>, place: Int64) {
        let file = try directory.openFile(name, O_RDONLY | O_NOFOLLOW)
        let head = limit / 2
        let leftOut = size - limit
        let notice = Array("\n[spoold: \(leftOut) bytes are left out here; output_limit is \(limit)]\n".utf8)
        let end = head + Int64(notice.count)
        let cut = OutputCut(jobID: jobID, inode: try file.status().inode, notice: head..<end, leftOutBytes: leftOut)
        try replace(OutputCut.fileName(of: name, attempt: Int(attempt)), Array(cut.text.utf8))
        let short = try directory.openFile("\(name).part", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NOCTTY, mode: 0o600)
        var from: Int64 = 0
        while from < head {
            let chunk = try file.read(count: Int(min(head - from, 1 << 20)), at: from)
            if chunk.isEmpty { break }
            try short.write(chunk)
            from += Int64(chunk.count)
        }
        try short.write(notice, at: head)
        return (size - (limit - head)..<size, end)
    }
}

/// An output file here. Whatever has its name when the engine has answered, only this file gets more: another call may have replaced it
/// by a shorter one meanwhile, or removed it for the next try.
final class LocalOutput {
    fileprivate var file: FileDescriptor?
    /// The number of bytes that were here.
    let size: Int64

    /// One that is not here.
    init() {
        file = nil
        size = 0
    }

    init(_ file: consuming FileDescriptor) throws(SystemError) {
        size = try file.status().size
        self.file = consume file
    }

    /// The last bytes that were here.
    func last(_ count: Int64) throws(SystemError) -> [UInt8] {
        try file?.read(count: Int(count), at: size - count) ?? []
    }
}
