// What keeps the daemon from a part of its work: said once when it begins and once when it is over, and shown in
// `state/status.json` meanwhile. Running jobs go on through all of it, and nobody has to do anything when the cause has gone.

import Glibc
import Store

package struct Trouble {
    package enum Kind: String, CaseIterable {
        /// The spool takes no changes: its disk is full or read-only.
        case disk
        /// Descriptors, or memory for them, have run out.
        case descriptors
        /// The machine starts no more processes.
        case processes
        /// What is in the spool cannot be watched, and is looked at again and again instead.
        case watches
        /// The spool, or a directory of it, is not where it was.
        case spool
    }

    var since: Instant
    /// What the system said.
    package internal(set) var error: String
    /// What that means for the spool.
    var effect: String
}

extension Service {
    /// Says it, unless it has been said.
    package func begin(_ kind: Trouble.Kind, _ error: String, effect: String) {
        if let known = troubles[kind] {
            guard known.error != error else { return }
            troubles[kind]?.error = error
        } else {
            troubles[kind] = Trouble(since: now, error: error, effect: effect)
            log.write(.error, "degraded", at: now, ["of": kind.rawValue, "error": error, "effect": effect])
            log.flush()
        }
        isPublishDue = true
    }

    /// The cause has gone.
    package func end(_ kind: Trouble.Kind) {
        guard troubles.removeValue(forKey: kind) != nil else { return }
        log.write(.notice, "recovered", at: now, ["of": kind.rawValue])
        log.flush()
        isPublishDue = true
    }
}
