import Glibc

/// The machine that this process runs on.
public enum Machine {
    /// The name of the machine, gethostname(2).
    public static func name() -> String {
        var name = [UInt8](repeating: 0, count: 256)
        _ = name.withUnsafeMutableBytes { gethostname($0.bindMemory(to: CChar.self).baseAddress!, $0.count - 1) }
        return String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
    }
}
