import CLinux
import Glibc
import Linux
import WorkerProtocol

// A confined command begins in two steps, because the start of a process changes neither limits nor priorities: the worker starts its own
// program with `--confine`, which applies the confinement to itself and becomes the command. It writes an error to the pipe on descriptor
// 3. When the command begins, the pipe is closed without data, or with one byte for each message that the system's log did not take.

extension Confinement {
    static let troubleDescriptor: Int32 = 3
    /// The descriptor of the cgroup to enter, if another process had to open it.
    static let groupDescriptor: Int32 = 4

    /// The confinement as an argument.
    func text(isGroupOpen: Bool) -> String {
        if case .cgroup = self, isGroupOpen { return Confinement.cgroup("").text }
        return text
    }
}

/// Confines this process and becomes the command.
func confine(_ words: [String]) -> Never {
    _ = linux_fcntl_int(Confinement.troubleDescriptor, F_SETFD, FD_CLOEXEC)
    guard let end = words.firstIndex(of: "--"), words.count >= end + 3 else { give(up: EINVAL, "only spool-worker may start it") }
    for word in words[..<end] {
        guard let confinement = Confinement(word) else { give(up: EINVAL, "\(word) is not known") }
        apply(confinement)
    }
    var arguments = words[(end + 2)...].map { strdup($0) }
    arguments.append(nil)
    execv(words[end + 1], arguments)
    // The worker says what could not be started.
    give(up: errno, "")
}

private func apply(_ confinement: Confinement) {
    switch confinement {
    case .nice(let value):
        // Sets the command's own value, whatever the daemon's is. -1 is a legal result, so only errno shows an error.
        if setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Int32(clamping: value)) != 0 {
            give(up: errno, "nice \(value): \(String(cString: strerror(errno)))")
        }
    case .ioPriority(let value):
        if linux_set_io_priority(Int32(clamping: value)) != 0 { give(up: errno, "ionice: \(String(cString: strerror(errno)))") }
    case .limit(let resource, let value):
        if linux_set_limit(Int32(clamping: resource), value ?? 0, value == nil ? 1 : 0) != 0 {
            let name = LimitedResource.all.first { $0.number == resource }?.name ?? "\(resource)"
            give(up: errno, "limits.\(name): \(String(cString: strerror(errno)))")
        }
    case .logged(let message):
        if !SystemLog.send(message, waitingMilliseconds: SystemLog.patienceMilliseconds) {
            var mark = Trouble.unlogged
            _ = write(Confinement.troubleDescriptor, &mark, 1)
        }
    case .cgroup(let directory):
        let isOpen = directory.isEmpty
        let file = isOpen ? Confinement.groupDescriptor : open("\(directory)/cgroup.procs", O_WRONLY | O_CLOEXEC)
        if isOpen { _ = linux_fcntl_int(file, F_SETFD, FD_CLOEXEC) }
        // cgroups(7): 0 means the writing process itself.
        if file < 0 || write(file, "0", 1) != 1 { give(up: errno, "cgroup \"\(directory)\": \(String(cString: strerror(errno)))") }
    }
}

/// Reports the reason to the worker, and ends.
private func give(up number: Int32, _ message: String) -> Never {
    let line = Array("\(number) \(message)".utf8)
    _ = write(Confinement.troubleDescriptor, line, line.count)
    exit(126)
}

/// The worker's end of the pipe on which a command that could not be confined reports why.
struct Trouble: ~Copyable {
    /// Written for a message that the system's log did not take. The command begins nevertheless.
    static let unlogged = UInt8(ascii: "~")

    private let reader: FileDescriptor
    private var writer: RawBox?

    init() throws(StartFailure) {
        let ends: (reading: Int32, writing: Int32)
        do throws(SystemError) { ends = try Pipe().release() } catch {
            throw StartFailure(errno: error.errno, message: "pipe: \(error.message)")
        }
        reader = FileDescriptor(owning: ends.reading)
        writer = RawBox(FileDescriptor(owning: ends.writing))
    }

    /// The end for the command's descriptor 3.
    var raw: Int32 { writer?.raw ?? -1 }

    /// Waits until the command has begun or has failed. The message is empty when the command itself could not be started. Returns false
    /// when the system's log did not take a message.
    mutating func check() throws(StartFailure) -> Bool {
        writer = nil
        var bytes: [UInt8]
        do throws(SystemError) {
            try reader.setBlocking()
            bytes = try reader.readAll(limit: 4096)
        } catch {
            return true  // an unreadable pipe gives no reason; the command's own end is then reported
        }
        let isLogged = bytes.first != Self.unlogged
        bytes.removeAll { $0 == Self.unlogged }
        guard !bytes.isEmpty else { return isLogged }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        throw StartFailure(errno: Int32(parts[0]) ?? 0, message: parts.count > 1 ? String(parts[1]) : "could not be confined")
    }
}
