import Glibc
import Linux
@testable import Store
import Testing

@Suite struct TrustTests {
    static let files: [(mode: mode_t, links: UInt64, isShared: Bool, areLinksProtected: Bool, objection: String?)] = [
        (0o644, 1, true, false, nil), (0o700, 1, true, false, nil), (0o600, 1, false, false, nil),
        (0o664, 1, false, true, "can be written by others"), (0o602, 1, true, true, "can be written by others"),
        (0o4700, 1, false, true, "chmod 0700 it"), (0o2755, 1, true, true, "chmod 0755 it"), (0o1644, 1, false, true, "chmod 0644 it"),
        // `ln` may drop a file. A second name is refused only in a shared directory of a kernel that lets everybody link any
        // file.
        (0o644, 2, true, true, nil), (0o644, 2, false, false, nil), (0o644, 2, true, false, "has 2 names"),
    ]

    @Test("Files of which modes and links are accepted", arguments: files)
    func objection(_ row: (mode: mode_t, links: UInt64, isShared: Bool, areLinksProtected: Bool, objection: String?)) throws {
        let status = FileStatus(
            kind: .file, mode: row.mode, size: 1, inode: 1, links: row.links, modifiedNanoseconds: 0, changedNanoseconds: 0)
        let found = Trust(owner: 0, isShared: row.isShared, areLinksProtected: row.areLinksProtected).objection(to: status)
        if let objection = row.objection {
            #expect(found?.contains(objection) == true, "\(String(describing: found))")
        } else {
            #expect(found == nil)
        }
    }

    @Test("The paths at which files are checked", arguments: [
        ("new/a.toml", true), ("tasks/a.toml", true), ("schedules/x.json", true), ("control/x.request", true),
        ("new/20261121T020000.000Z-a-k3f9ab/job.toml", true), ("new/20261121T020000.000Z-a-k3f9ab/status.json", false),
        ("running/20261121T020000.000Z-a-k3f9ab/job.toml", false), ("state/format", false), ("new", false), ("tmp/a.toml", false),
    ])
    func concerns(_ row: (path: String, isAsked: Bool)) { #expect(Trust.concerns(row.path) == row.isAsked) }

    @Test("A private spool has no such checks; a spool for everybody and its parts are told apart by their directories")
    func spools() throws {
        let spool = try TemporarySpool()
        #expect(try DiskFileSystem(path: spool.path).trust == nil)
        try Directory.open(spool.path).makeDirectory("users")
        #expect(try DiskFileSystem(path: spool.path).trust?.isShared == false)
        #expect(chmod("\(spool.path)/new", 0o1777) == 0)
        #expect(try DiskFileSystem(path: spool.path).trust?.isShared == true)
        try Directory.open(spool.path).makeDirectory("users/alice")
        try Directory.open(spool.path).makeDirectory("new/alice")
        try Directory.open(spool.path).makeSymbolicLink("users/alice/new", to: "../../new/alice")
        let trust = try #require(try DiskFileSystem(path: "\(spool.path)/users/alice").trust)
        #expect(trust.owner == geteuid() && !trust.isShared)
    }
}
