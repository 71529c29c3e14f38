import Glibc

// The meanings of error numbers. Code that distinguishes kinds of failures uses these. It compares a number itself only when the manual
// page of one call gives the number a special meaning.

extension SystemError {
    // MARK: The disk

    /// The disk takes no change now, and may take one later: it is full or read-only, a quota is used up, or the file has reached the size
    /// limit of the process.
    public var isOfDisk: Bool { [ENOSPC, EDQUOT, EROFS, EFBIG].contains(errno) }

    /// A sync failed. The data may not be on the disk, and a later sync of the same files does not report that.
    public var isFailedSync: Bool { ["fsync", "fdatasync", "syncfs"].contains(call) }

    /// The disk is broken: its content is unknown.
    public var isOfBrokenDisk: Bool { isFailedSync || [EIO, EROFS, EUCLEAN, EBADMSG].contains(errno) }

    // MARK: The machine

    /// No descriptor, or no memory for one, is free now.
    public var isShortage: Bool { [EMFILE, ENFILE, ENOMEM].contains(errno) }

    /// The machine can start no process now.
    public var isRefusedProcess: Bool { errno == EAGAIN || isShortage }

    /// A run cannot be started now: there is no process for it, or no room for its record and output.
    public var isRefusedStart: Bool { isRefusedProcess || isOfDisk }

    /// The kernel has no inotify watch or instance left. inotify_add_watch(2) returns ENOSPC for watches.
    public var isOutOfWatches: Bool { errno == ENOSPC || isShortage }

    /// The next try may succeed although nobody changes anything.
    public var mayPass: Bool { errno == EIO || isOfDisk || isShortage }

    /// Not one descriptor more can be opened now.
    public var isOutOfDescriptors: Bool { [EMFILE, ENFILE].contains(errno) }

    // MARK: One path

    /// The path does not exist.
    public var isMissing: Bool { [ENOENT, ENOTDIR].contains(errno) }

    /// The path does not exist, or is in a directory that this process may not search.
    public var isOutOfReach: Bool { isMissing || errno == EACCES }

    /// A directory is not empty. rename(2) and rmdir(2) may return either number.
    public var isNotEmpty: Bool { [ENOTEMPTY, EEXIST].contains(errno) }

    /// Only this path is affected: it does not exist, or something else is there, or this process may not use it. The disk works.
    public var isOfOnePath: Bool { isMissing || isInTheWay }

    /// Only this path is affected: a file there cannot be replaced, moved or entered, or the name is too long.
    public var isInTheWay: Bool {
        [EACCES, EBUSY, EEXIST, EISDIR, ELOOP, ENAMETOOLONG, ENOTDIR, ENOTEMPTY, ENXIO, EPERM, EXDEV].contains(errno)
    }
}
