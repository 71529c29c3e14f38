import Glibc

/// Which processes are below which. From /proc/PID/task/TID/children where the kernel has it (CONFIG_PROC_CHILDREN), else from every
/// process's parent, at about 5 µs for each process of the machine; so this is for runs that left something or are to end.
public struct ProcessTable {
    /// All processes of the machine; nil: the kernel lists children.
    private let all: [ProcessStatus]?

    public init() {
        let own = getpid()
        if access("/proc/self/task/\(own)/children", F_OK) == 0 {
            all = nil
        } else {
            all = Self.all()
        }
    }

    /// All processes of the machine, as far as they are shown to this one.
    public static func all() -> [ProcessStatus] {
        // No /proc: nothing is known. One that cannot be read has been reaped since, or is a stranger who hides.
        let entries = (try? Directory.open("/proc").list()) ?? []
        return entries.compactMap { pid_t($0.name) }.compactMap { try? ProcessStatus.read($0) }
    }

    /// The children of a process, zombies too. None: it has none, or has ended.
    public func children(of parent: pid_t) -> [ProcessStatus] {
        if let all { return all.filter { $0.parent == parent } }
        // Each thread has the list of those that it started.
        let threads = (try? Directory.open("/proc/\(parent)/task").list()) ?? []
        return threads.flatMap { thread -> [ProcessStatus] in
            let path = "/proc/\(parent)/task/\(thread.name)/children"
            guard let text = try? FileDescriptor.open(path, O_RDONLY).readAll(limit: 16 << 20) else { return [] }  // it has ended
            return text.split(separator: UInt8(ascii: " ")).compactMap { word in
                guard let pid = pid_t(String(decoding: word, as: UTF8.self)) else { return nil }
                guard let status = try? ProcessStatus.read(pid) else { return nil }  // it has ended
                return status.parent == parent ? status : nil
            }
        }
    }
}
