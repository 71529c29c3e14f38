import CLinux
import Glibc

/// File systems that several machines share.
public enum NetworkFileSystem {
    /// The names by `f_type` of statfs(2), from linux/magic.h and the sources of the file systems.
    static let names: [UInt32: String] = [
        0x6969: "NFS", 0x517B: "SMB", 0xFF53_4D42: "CIFS", 0xFE53_4D42: "SMB", 0x00C3_6400: "Ceph", 0x5346_414F: "AFS",
        0x6B41_4653: "AFS", 0x7375_7245: "Coda",
    ]

    /// The name of a path's file system if it is one of these. Nil for others.
    public static func name(at path: String) throws(SystemError) -> String? {
        var space = statfs()
        try attempt("statfs", at: path) { statfs($0, &space) }
        // Only 32 bits of this long have a meaning.
        return names[UInt32(truncatingIfNeeded: space.f_type)]
    }
}
