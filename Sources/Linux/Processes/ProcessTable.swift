import Glibc

/// The children of processes. They are read from /proc/PID/task/TID/children if the kernel has this (CONFIG_PROC_CHILDREN). Otherwise the
/// parent of every process is read, which costs about 5 µs for each process of the machine. So this is used only for runs that have left
/// processes behind or are to be ended.
public struct ProcessTable {
    /// All processes of the machine. Nil when the kernel lists children.
    private let all: [ProcessStatus]?

    public init() {
        let own = getpid()
        if access("/proc/self/task/\(own)/children", F_OK) == 0 {
            all = nil
        } else {
            all = Self.all()
        }
    }

    /// All processes of the machine that this process can see.
    public static func all() -> [ProcessStatus] {
        let entries = (try? Directory.open("/proc").list()) ?? []  // without /proc no process is seen
        return entries.compactMap { pid_t($0.name) }.compactMap { try? ProcessStatus.read($0) }  // ended since, or hidden from us
    }

    /// The children of a process, including zombies. Empty when it has none or has ended.
    public func children(of parent: pid_t) -> [ProcessStatus] {
        if let all { return all.filter { $0.parent == parent } }
        // Each thread has a list of the children that it started.
        let threads = (try? Directory.open("/proc/\(parent)/task").list()) ?? []  // ended
        return threads.flatMap { thread -> [ProcessStatus] in
            let path = "/proc/\(parent)/task/\(thread.name)/children"
            guard let text = try? FileDescriptor.open(path, O_RDONLY).readAll(limit: 16 << 20) else { return [] }  // ended
            return text.split(separator: UInt8(ascii: " ")).compactMap { word in
                guard let pid = pid_t(String(decoding: word, as: UTF8.self)) else { return nil }
                guard let status = try? ProcessStatus.read(pid) else { return nil }  // ended
                return status.parent == parent ? status : nil
            }
        }
    }
}
