import CLinux
import Glibc

/// File systems whose locks and files other machines share.
public enum NetworkFileSystem {
    /// Their f_type in statfs(2), from linux/magic.h and the file systems' own sources.
    static let names: [UInt32: String] = [
        0x6969: "NFS", 0x517B: "SMB", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB", 0x00C3_6400: "Ceph", 0x5346_414F: "AFS",
        0x6B41_4653: "AFS", 0x7375_7245: "Coda",
    ]

    /// The name of a path's file system if it is one of these; nil when it is not.
    public static func name(at path: String) throws(SystemError) -> String? {
        var space = statfs()
        try attempt("statfs", at: path) { statfs($0, &space) }
        // A long of which 32 bits count.
        return names[UInt32(truncatingIfNeeded: space.f_type)]
    }
}
