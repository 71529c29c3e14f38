/// The place of a job on the disk.
public enum Place: Hashable, Sendable {
    /// The dropped file in `new/`.
    case file(String)
    /// The job's own directory, in the directory of that state.
    case directory(JobState)
    /// Not on the disk yet.
    case nowhere
}

/// The place of each job on the disk, as the spool last saw or left it. The journal does not contain places: recovery observes them again.
///
/// Invariants:
/// - Only the spool changes a place, in the step that moves the job.
/// - A job without an entry is where it was when it was accepted. So a file that waits takes no room here.
/// - A moved job has an entry until it is forgotten: when it has ended and is in its last place, or was withdrawn.
/// - Two jobs with one id have two places: one that has ended and is not in its place yet, and one that was submitted again.
public struct Places {
    /// Each entry keeps its job, so that no other job has the same identity.
    private var entries: [ObjectIdentifier: (job: Job, place: Place)] = [:]

    public internal(set) subscript(job: Job) -> Place {
        get { entries[ObjectIdentifier(job)]?.place ?? Self.atAcceptance(job) }
        set { entries[ObjectIdentifier(job)] = newValue == Self.atAcceptance(job) ? nil : (job, newValue) }
    }

    private static func atAcceptance(_ job: Job) -> Place {
        job.file.map { .file($0.name) } ?? (job.isDirectory ? .directory(.new) : .nowhere)
    }

    mutating func forget(_ job: Job) { entries.removeWithRoom(ObjectIdentifier(job)) }

    /// The jobs with an entry.
    package var moved: [Job] { entries.values.map(\.job) }
}
