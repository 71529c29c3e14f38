import Store

/// A condition that prevents part of the daemon's work. Running jobs continue, and nothing needs to be done when the cause is
/// gone.
package struct Trouble {
    package enum Kind: String, CaseIterable {
        /// The spool accepts no changes: its disk is full or read-only.
        case disk
        /// There are no more descriptors, or no memory for them.
        case descriptors
        /// The machine cannot start more processes.
        case processes
        /// Directories of the spool cannot be watched. The daemon reads them at intervals instead.
        case watches
        /// The spool, or one of its directories, is no longer in its place.
        case spool
    }

    var since: Instant
    /// The error message of the system.
    package internal(set) var error: String
    /// The consequence for the spool.
    var effect: String
}
