// A disk for one test: a file with a file system, on a loop device. Tests can make the faults of a real disk on it.

import Glibc
import Linux
import Testing

final class LoopDisk {
    enum Kind: String, CaseIterable {
        case ext4, xfs, btrfs

        /// True when such a disk can be made here. Found out once, by making one.
        var isThere: Bool {
            switch self {
            case .ext4: Self.canHaveExt4
            case .xfs: Self.canHaveXFS
            case .btrfs: Self.canHaveBtrfs
            }
        }

        private static let canHaveExt4 = canHave(.ext4)
        private static let canHaveXFS = canHave(.xfs)
        private static let canHaveBtrfs = canHave(.btrfs)

        private static func canHave(_ kind: Kind) -> Bool {
            guard isRoot, Commands.has("mount"), Commands.has("mkfs.\(kind)"), Commands.has("xfs_io") else { return false }
            // A failure is the answer: such a disk cannot be made here.
            guard let disk = try? LoopDisk(kind), let place = try? Files.makeTemporaryDirectory() else { return false }
            defer {
                disk.unmount()
                rmdir(place)
            }
            return (try? disk.mount(at: place)) != nil
        }

        var reason: Comment { "needs root, loop devices, mkfs.\(self) and xfs_io" }
    }

    let image: String
    private let kind: Kind
    private let directory: String
    private var options: String
    private var places: [String] = []

    init(_ kind: Kind, options: String = "") throws {
        self.kind = kind
        self.options = options
        directory = try Files.makeTemporaryDirectory()
        image = "\(directory)/disk"
        // The smallest size that mkfs.xfs accepts. Most of the file is a hole.
        try Commands.succeed("truncate", "-s", "320M", image)
        try Commands.succeed("mkfs.\(kind)", "-q", image)
    }

    /// Mounts the disk when nobody uses it any more. A process of another test may have all mounts in its own namespace, and while one of
    /// them is left the kernel returns the same broken file system.
    func mount(at place: String) throws {
        let end = MonotonicInstant.now().advanced(byMilliseconds: guardMilliseconds)
        while try !Commands.run("losetup", "-j", image).output.isEmpty {
            guard .now() < end else { throw WaitFailed(description: "\(image) is still in use") }
        }
        try Commands.succeed("mount", "-t", kind.rawValue, "-o", options.isEmpty ? "loop" : "loop,\(options)", image, place)
        places.append(place)
    }

    /// Unmounts the disk everywhere, even while it is in use.
    func unmount() {
        for place in places { _ = try? Commands.run("umount", "-l", place) }  // where it is not mounted any more, nothing is to be done
        places = []
    }

    /// Has the file system refuse all changes, as after an error in its structure.
    func makeReadOnly() throws {
        let source = try Commands.run("findmnt", "-n", "-o", "SOURCE", places[0]).output.split(separator: "\n")[0].split(separator: "/")
        try Files.append("/sys/fs/ext4/\(source[source.count - 1])/trigger_fs_error", "test")
    }

    /// Has the file system shut itself down, as after a fatal error: EIO.
    func shutDown() throws { try Commands.succeed("xfs_io", "-x", "-c", "shutdown", places[0]) }

    /// Unmounts the disk as a person does, when nothing uses it.
    func check() throws {
        let result = try Commands.run("e2fsck", "-f", "-y", image)
        guard result.code <= 1 else { throw WaitFailed(description: "e2fsck: \(result.code): \(result.output)\(result.error)") }
    }

    // MARK: Quota

    /// Puts the content of the mounted btrfs into a subvolume with this quota.
    func limit(bytes: Int) throws {
        let place = places[0]
        try Commands.succeed("btrfs", "quota", "enable", place)
        try Commands.succeed("btrfs", "subvolume", "create", "\(place)/part")
        try setLimit(bytes: bytes, at: "\(place)/part")
        unmount()
        options = "subvol=part"
        try mount(at: place)
    }

    func setLimit(bytes: Int, at place: String) throws { try Commands.succeed("btrfs", "qgroup", "limit", "\(bytes)", place) }

    deinit {
        unmount()
        try? Files.removeTree(directory)  // what cannot be removed is litter in the temporary directory
    }
}
