import Linux
import Scheduler
import Store

/// Decides what the daemon does when it cannot go on because its disk is broken: it becomes the program that waits for the disk, see
/// ``AwaitedSpool``.
final class BrokenDisk {
    /// A disk that breaks sooner than this has not been mended.
    private static let provenMilliseconds: Int64 = 60_000

    /// This process waited for the spool's disk before it served.
    private let awaited: AwaitedSpool?
    /// The time since when the spool is served. Nil when it is not served yet.
    private var servingSince: MonotonicInstant?
    private let spoolID: String
    private let program: String
    private let options: DaemonOptions
    private let service: SpoolService
    private let log: Log

    init(
        _ awaited: AwaitedSpool?, spoolID: String, program: String, _ options: DaemonOptions, _ service: SpoolService, _ log: Log
    ) {
        self.awaited = awaited
        self.spoolID = spoolID
        self.program = program
        self.options = options
        self.service = service
        self.log = log
    }

    /// The disk broke while the spool was served last, by this process or by another one since the machine was started.
    var wasBroken: Bool { awaited != nil || AwaitedSpool.wasBroken(spoolID) }

    /// The daemon serves from now on.
    func served() {
        servingSince = .now()
        AwaitedSpool.noteServed(spoolID)
        if awaited != nil { log.write(.notice, "recovered", at: service.now, ["of": Trouble.Kind.disk.rawValue]) }
    }

    /// The daemon cannot go on. If the disk is the reason, calls `end` and becomes the program that waits for the disk; else returns.
    ///
    /// A user's daemon just ends, and so does a daemon that is ending. The broken disk is noted for the next daemon all the same.
    func letGo(for error: SystemError, isStopping: Bool, _ end: () -> Void) throws(SystemError) {
        guard error.isOfBrokenDisk else { return }
        // A daemon that never served may have found the disk broken. It has recorded nothing, unless a sync of its own failed.
        if servingSince != nil || error.isFailedSync { AwaitedSpool.noteBroken(spoolID) }
        guard let since = servingSince, !isStopping, options.user == nil else { return }
        let effect = "nothing is recorded, started or acknowledged until the spool is at \(options.spool) again and takes changes"
        service.begin(.disk, "\(error)", effect: effect)
        end()
        log.flush()
        // A disk that breaks again and again is tried ever more rarely.
        let isNew = MonotonicInstant.now().milliseconds(since: since) >= Self.provenMilliseconds
        try (isNew ? AwaitedSpool(id: spoolID) : awaited?.next ?? AwaitedSpool(id: spoolID)).hand(to: program)
    }
}
