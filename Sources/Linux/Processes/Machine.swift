import CLinux
import Glibc

/// The machine that this process runs on.
public enum Machine {
    /// The name of the machine, gethostname(2).
    public static func name() -> String {
        var name = [UInt8](repeating: 0, count: 256)
        _ = name.withUnsafeMutableBytes { gethostname($0.bindMemory(to: CChar.self).baseAddress!, $0.count - 1) }
        return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// The number of processors that this process may use, sched_getaffinity(2). At least 1.
    public static func processors() -> Int {
        var set = [UInt64](repeating: 0, count: 1024)
        guard linux_processor_set(&set, 8 * set.count) > 0 else { return 1 }
        return max(1, set.reduce(0) { $0 + $1.nonzeroBitCount })
    }
}
