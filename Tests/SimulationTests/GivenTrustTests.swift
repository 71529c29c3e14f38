import Daemon
import Glibc
import Linux
import TestSupport
import Testing

@Suite struct GivenTrustTests {
    /// A way to a file: the link `way` leads to `target`, in a directory with these permission bits. Another directory in that one belongs
    /// to `inner`.
    private func objection(target: String, mode: mode_t, inner: uid_t = geteuid()) throws -> String? {
        let base = try makeTemporaryDirectory(in: "/tmp", "given-trust")
        defer { for name in ["way", "open/in/file", "open/in", "open/file", "open", ""] { remove("\(base)/\(name)") } }
        guard mkdir("\(base)/open", 0o700) == 0, mkdir("\(base)/open/in", 0o755) == 0, symlink(target, "\(base)/way") == 0 else {
            throw SystemError(call: "mkdir", path: base, errno: errno)
        }
        for file in ["open/file", "open/in/file"] { _ = try FileDescriptor.open("\(base)/\(file)", O_WRONLY | O_CREAT, mode: 0o600) }
        guard chown("\(base)/open/in", inner, getegid()) == 0, chmod("\(base)/open", mode) == 0 else {
            throw SystemError(call: "chown", path: base, errno: errno)
        }
        var trusted: Set<WatchedNames.Name> = []
        let first = GivenTrust.objection(toWayOf: "\(base)/way", &trusted)
        #expect(GivenTrust.objection(toWayOf: "\(base)/way", &trusted) == first, "a second file of the same look")
        return first
    }

    static let ways: [(target: String, mode: mode_t, says: String?)] = [
        ("open/file", 0o755, nil), ("open/file", 0o300, nil), ("open/file", 0o1777, nil), ("open/file", 0o777, "in which others"),
        ("open/none", 0o755, "No such file"), ("open/file/none", 0o755, "Not a directory"), ("way", 0o755, "Too many levels"),
        ("open/in/file", 0o755, nil), ("open/in/file", 0o1777, nil), ("open/in/file", 0o777, "/open, in which others"),
        ("open/in", 0o755, nil), ("open/in", 0o777, "/open, in which others"), ("open/in/../file", 0o775, "/open, in which others"),
    ]

    @Test("W5: A way that cannot be checked to its end is not trusted; one that can be searched and not listed is", arguments: ways)
    func checked(_ way: (target: String, mode: mode_t, says: String?)) throws {
        let objection = try self.objection(target: way.target, mode: way.mode)
        #expect(way.says.map { objection?.contains($0) == true } ?? (objection == nil), "\(objection ?? "trusted")")
    }

    @Test("W5: A directory on the way that another user can replace is not trusted, also one that the way leaves again",
        .enabled(if: geteuid() == 0, "needs root"), arguments: ["open/in/file", "open/in", "open/in/../file"], [0o755, 0o1777] as [mode_t])
    func ofOthers(_ target: String, mode: mode_t) throws {
        let objection = try #require(try self.objection(target: target, mode: mode, inner: 5))
        #expect(objection.contains("/open/in, a directory of user 5"), "\(objection)")
    }
}
