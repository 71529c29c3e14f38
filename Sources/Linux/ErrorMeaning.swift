import Glibc

// Which error numbers mean what. Code that has to tell one kind of failure from another asks here; a number alone is compared only where
// the manual page of that one call gives it a meaning of its own.

extension SystemError {
    // MARK: The disk

    /// The disk takes no change now, and may take one later: it is full or read-only, a quota is used up, or the file is as large as the
    /// process may write.
    public var isOfDisk: Bool { [ENOSPC, EDQUOT, EROFS, EFBIG].contains(errno) }

    /// A sync failed. The data may not be on the disk, and a later sync of the same files does not report that.
    public var isFailedSync: Bool { ["fsync", "fdatasync", "syncfs"].contains(call) }

    /// The disk is broken: nobody knows what it holds.
    public var isOfBrokenDisk: Bool { isFailedSync || [EIO, EROFS, EUCLEAN, EBADMSG].contains(errno) }

    // MARK: The machine

    /// The machine has no descriptor, or no memory for one, to give now.
    public var isShortage: Bool { [EMFILE, ENFILE, ENOMEM].contains(errno) }

    /// The machine can start no process now.
    public var isRefusedProcess: Bool { errno == EAGAIN || isShortage }

    /// A run cannot be started now: there is no process for it, or no room for its record and output.
    public var isRefusedStart: Bool { isRefusedProcess || isOfDisk }

    /// The kernel has no inotify watch or instance to give now; inotify_add_watch(2) says ENOSPC for the first.
    public var isOutOfWatches: Bool { errno == ENOSPC || isShortage }

    /// The next try may succeed although nobody changes anything.
    public var mayPass: Bool { errno == EIO || isOfDisk || isShortage }

    /// Not one descriptor more can be opened now.
    public var isOutOfDescriptors: Bool { [EMFILE, ENFILE].contains(errno) }

    // MARK: One path

    /// Nothing is there.
    public var isMissing: Bool { [ENOENT, ENOTDIR].contains(errno) }

    /// Nothing is there, or in a directory that this process may not search.
    public var isOutOfReach: Bool { isMissing || errno == EACCES }

    /// A directory is not empty; rename(2) and rmdir(2) may say either.
    public var isNotEmpty: Bool { [ENOTEMPTY, EEXIST].contains(errno) }

    /// Only this path is affected: something else is there, or nothing, or it is not ours. The disk works.
    public var isOfOnePath: Bool { isMissing || isInTheWay }

    /// Only this path is affected: something is there that cannot be replaced, moved or entered, or the name is too long.
    public var isInTheWay: Bool {
        [EACCES, EBUSY, EEXIST, EISDIR, ELOOP, ENAMETOOLONG, ENOTDIR, ENOTEMPTY, ENXIO, EPERM, EXDEV].contains(errno)
    }
}
