import Testing

@testable import Linux

@Suite("Network file systems")
struct NetworkFileSystemTests {
    // The numbers in linux/magic.h: NFS_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, CEPH_SUPER_MAGIC.
    static let known: [(magic: UInt32, name: String)] = [(0x6969, "NFS"), (0xFF534D42, "CIFS"), (0xFE534D42, "SMB"), (0x00C36400, "Ceph")]

    @Test("Attack 77: NFS, CIFS, SMB and Ceph are recognized by their numbers", arguments: known)
    func magic(_ row: (magic: UInt32, name: String)) { #expect(NetworkFileSystem.names[row.magic] == row.name) }

    @Test("A file system of this machine alone is not a network file system, and a missing path is an error")
    func local() throws {
        #expect(try NetworkFileSystem.name(at: "/proc") == nil)
        #expect(throws: SystemError.self) { try NetworkFileSystem.name(at: "/no/such/path") }
    }
}
