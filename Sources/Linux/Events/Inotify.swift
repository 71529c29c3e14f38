import CLinux
import Glibc

/// Watches directories and files for changes, inotify(7).
public struct Inotify: ~Copyable {
    /// Readable when there are events; non-blocking.
    public let descriptor: FileDescriptor
    private let buffer: UnsafeMutableRawBufferPointer

    /// inotify_init1(2).
    public init() throws(SystemError) {
        let raw = try attempt("inotify_init1") { inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK)) }
        descriptor = FileDescriptor(owning: raw)
        buffer = .allocate(byteCount: 64 << 10, alignment: 8)
    }

    deinit { buffer.deallocate() }

    /// The most that one event takes: its head, and a name of NAME_MAX bytes with a NUL, padded.
    private static let eventBytesMax = 16 + 256

    /// Watches a path, inotify_add_watch(2), and returns the number of the watch, which its events have. Watching the same file again
    /// changes its mask and returns the same number.
    public borrowing func add(_ path: String, _ mask: InotifyMask) throws(SystemError) -> Int32 {
        let raw = descriptor.raw
        return try attempt("inotify_add_watch", at: path) { inotify_add_watch(raw, $0, mask.rawValue) }
    }

    /// Ends a watch, inotify_rm_watch(2); its last event is ``InotifyMask/ignored``.
    public borrowing func remove(_ watch: Int32) throws(SystemError) {
        let raw = descriptor.raw
        try attempt("inotify_rm_watch") { inotify_rm_watch(raw, watch) }
    }

    /// Reads all events and appends them. Returns true when the kernel's queue has overflowed: events are then missing, and the caller must
    /// list every watched directory.
    public borrowing func readEvents(into events: inout [InotifyEvent]) throws(SystemError) -> Bool {
        var overflowed = false
        while true {
            let count: Int
            do throws(SystemError) {
                count = try descriptor.read(into: buffer)
            } catch where error.errno == EAGAIN {
                return overflowed
            }
            var position = 0
            while position + 16 <= count {
                // struct inotify_event: s32 watch, u32 mask, u32 cookie, u32 name length, then the name padded with NULs.
                let length = Int(buffer.loadUnaligned(fromByteOffset: position + 12, as: UInt32.self))
                let padded = UnsafeRawBufferPointer(rebasing: buffer[position + 16..<position + 16 + length])
                let bytes = padded.assumingMemoryBound(to: UInt8.self)
                let end = bytes.firstIndex(of: 0) ?? bytes.count
                let event = InotifyEvent(
                    watch: buffer.loadUnaligned(fromByteOffset: position, as: Int32.self),
                    mask: InotifyMask(rawValue: buffer.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self)),
                    cookie: buffer.loadUnaligned(fromByteOffset: position + 8, as: UInt32.self),
                    name: FileName.string(from: UnsafeBufferPointer(rebasing: bytes[..<end])))
                if event.mask.contains(.overflow) { overflowed = true }
                events.append(event)
                position += 16 + length
            }
            // Another event would have had room, so there was none. A later one makes the descriptor readable again.
            if count < buffer.count - Self.eventBytesMax { return overflowed }
        }
    }
}

/// One change, struct inotify_event.
public struct InotifyEvent: Sendable, Equatable {
    /// The watch as ``Inotify/add(_:_:)`` returned it; -1 for ``InotifyMask/overflow``.
    public var watch: Int32
    public var mask: InotifyMask
    /// The same number in the two events of a rename, otherwise 0.
    public var cookie: UInt32
    /// The name in the watched directory. Empty when the event concerns the watched file itself.
    public var name: String

    public init(watch: Int32, mask: InotifyMask, cookie: UInt32 = 0, name: String = "") {
        self.watch = watch
        self.mask = mask
        self.cookie = cookie
        self.name = name
    }
}

/// The changes to watch for, or the change that happened, inotify(7).
public struct InotifyMask: OptionSet, Sendable {
    public var rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let modified = Self(rawValue: 0x2)
    public static let attributesChanged = Self(rawValue: 0x4)
    /// Each change of a directory, of its names and of the files behind them.
    public static let directoryChanges: Self = [
        .closedAfterWriting, .movedTo, .movedFrom, .created, .deleted, .attributesChanged, .selfMoved, .selfDeleted, .onlyDirectory,
    ]

    public static let closedAfterWriting = Self(rawValue: 0x8)
    public static let closedWithoutWriting = Self(rawValue: 0x10)
    public static let opened = Self(rawValue: 0x20)
    public static let movedFrom = Self(rawValue: 0x40)
    public static let movedTo = Self(rawValue: 0x80)
    public static let created = Self(rawValue: 0x100)
    public static let deleted = Self(rawValue: 0x200)
    public static let selfDeleted = Self(rawValue: 0x400)
    public static let selfMoved = Self(rawValue: 0x800)
    /// In events only: the file system was unmounted.
    public static let unmounted = Self(rawValue: 0x2000)
    /// In events only: the kernel dropped events.
    public static let overflow = Self(rawValue: 0x4000)
    /// In events only: the watch has ended.
    public static let ignored = Self(rawValue: 0x8000)
    /// In ``Inotify/add(_:_:)`` only: ENOTDIR unless the path is a directory.
    public static let onlyDirectory = Self(rawValue: 0x0100_0000)
    /// In ``Inotify/add(_:_:)`` only: does not follow a symbolic link.
    public static let dontFollow = Self(rawValue: 0x0200_0000)
    /// In ``Inotify/add(_:_:)`` only: no events for names already unlinked.
    public static let excludeUnlinked = Self(rawValue: 0x0400_0000)
    /// In ``Inotify/add(_:_:)`` only: adds to the mask of an existing watch.
    public static let addToMask = Self(rawValue: 0x2000_0000)
    /// In events only: the name is a directory.
    public static let isDirectory = Self(rawValue: 0x4000_0000)
}

/// An inotify instance whose owner is an object, so that a class can hold it in an optional variable.
public final class InotifyInstance {
    public let inotify: Inotify

    public init() throws(SystemError) { inotify = try Inotify() }
}

extension SystemError {
    /// The reason why inotify could not watch, and the setting that a person can change.
    public var whyNotWatched: String {
        switch (call, errno) {
        case ("inotify_add_watch", ENOSPC): "there are no more watches: sysctl fs.inotify.max_user_watches is too low"
        case ("inotify_init1", EMFILE):
            "there are no more inotify instances: sysctl fs.inotify.max_user_instances is too low, or descriptors have run out"
        default: "\(self)"
        }
    }
}
