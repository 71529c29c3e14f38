import Daemon
import Glibc
import Linux
import TestSupport
import Testing

@Suite struct GivenTrustTests {
    /// A way to a file: the link `way` leads to `target`, in a directory with these permission bits.
    private func objection(target: String, mode: mode_t) throws -> String? {
        let base = try makeTemporaryDirectory(in: "/tmp", "given-trust")
        defer { for name in ["way", "open/file", "open", ""] { remove("\(base)/\(name)") } }
        guard mkdir("\(base)/open", 0o700) == 0, chmod("\(base)/open", mode) == 0, symlink(target, "\(base)/way") == 0 else {
            throw SystemError(call: "mkdir", path: base, errno: errno)
        }
        _ = try FileDescriptor.open("\(base)/open/file", O_WRONLY | O_CREAT, mode: 0o600)
        return GivenTrust.objection(toWayOf: "\(base)/way")
    }

    static let ways: [(target: String, mode: mode_t, says: String?)] = [
        ("open/file", 0o755, nil), ("open/file", 0o300, nil), ("open/file", 0o1777, nil), ("open/file", 0o777, "in which others"),
        ("open/none", 0o755, "No such file"), ("open/file/none", 0o755, "Not a directory"), ("way", 0o755, "Too many levels"),
    ]

    @Test("W5: A way that cannot be checked to its end is not trusted; one that can be searched and not listed is", arguments: ways)
    func checked(_ way: (target: String, mode: mode_t, says: String?)) throws {
        let objection = try self.objection(target: way.target, mode: way.mode)
        #expect(way.says.map { objection?.contains($0) == true } ?? (objection == nil), "\(objection ?? "trusted")")
    }
}
