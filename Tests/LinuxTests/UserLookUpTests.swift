import Glibc
@testable import Linux
import Testing

@Suite struct UserLookUpTests {
    @Test("A user database that does not answer is an error, whatever the error number, and not a user who does not exist", arguments: [
        ENOENT, EPERM, ESRCH, EBADF, EIO, EAGAIN,
    ])
    func noAnswer(_ number: Int32) {
        #expect(throws: SystemError(call: "getpwnam", errno: number)) {
            try entry("getpwnam", in: "/etc/passwd") { _, _, failure -> Int? in
                failure = number
                return nil
            }
        }
    }

    @Test("A system without a user database has no users")
    func none() throws {
        let found = try entry("getpwnam", in: "/etc/passwd/none") { _, _, failure -> Int? in
            failure = ENOENT
            return nil
        }
        #expect(found == nil)
    }

    @Test("A user who does not exist is no error")
    func missing() throws {
        #expect(try User.find(name: "no-such-user-here") == nil && User.find(id: 4_000_000_001) == nil)
    }

    @Test("An entry that does not fit is read again with more room")
    func room() throws {
        var sizes: [Int] = []
        let found = try entry("getpwnam", in: "/etc/passwd") { _, size, failure -> Int? in
            sizes.append(size)
            failure = sizes.count < 4 ? ERANGE : 0
            return failure == 0 ? 7 : nil
        }
        #expect(found == 7 && sizes == [1024, 2048, 4096, 8192])
    }
}
