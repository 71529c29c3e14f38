// ext4 and its block groups: where it puts the directories of jobs.

import CLinux
import Glibc
import Linux
import Testing

@Suite("Block groups of ext4", .ownThreads)
struct BlockGroupTests {
    private func isSpread(_ path: String) throws -> Bool {
        var flags: Int32 = 0
        let directory = try Directory.open(path)
        guard linux_get_inode_flags(directory.raw, &flags) == 0 else { throw SystemError(call: "ioctl", path: path, errno: errno) }
        return flags & linux_topdir_flag != 0
    }

    @Test(
        "On ext4 the directories of jobs are spread over the disk, also in a spool that was made without that",
        .enabled(if: LoopDisk.Kind.ext4.isThere, LoopDisk.Kind.ext4.reason))
    func spread() throws {
        let disk = try LoopDisk(.ext4)
        let spool = try SpoolUnderTest(disk: disk)
        #expect(try isSpread("\(spool.path)/running"))
        #expect(try spool.stop() == 0)
        try Commands.succeed("chattr", "-T", "\(spool.path)/running")
        #expect(try !isSpread("\(spool.path)/running"))
        try spool.start()
        #expect(try isSpread("\(spool.path)/running"))
        #expect(try spool.runsOn())
        #expect(try !isSpread("\(spool.path)/done"), "records are moved there and not made there")
        #expect(try spool.stop() == 0)
        disk.unmount()
        try disk.check()
    }
}
