import Store

/// What keeps the daemon from a part of its work. Running jobs go on meanwhile, and nobody has to do anything when the cause has gone.
package struct Trouble {
    package enum Kind: String, CaseIterable {
        /// The spool takes no changes: its disk is full or read-only.
        case disk
        /// Descriptors, or memory for them, have run out.
        case descriptors
        /// The machine starts no more processes.
        case processes
        /// Directories of the spool cannot be watched. The daemon reads them again and again instead.
        case watches
        /// The spool, or a directory of it, is not where it was.
        case spool
    }

    var since: Instant
    /// The error message of the system.
    package internal(set) var error: String
    /// The consequence for the spool.
    var effect: String
}
