import Linux
import Scheduler
import Store

/// Ends the service of a spool whose disk has broken: the daemon becomes the program that waits for the disk, see ``AwaitedSpool``.
final class BrokenDisk {
    /// A disk that breaks again within this time counts as not mended.
    private static let provenMilliseconds: Int64 = 60_000

    /// The wait for the disk from which this process has come. Nil when there was none.
    private let awaited: AwaitedSpool?
    /// The time since when the spool is served. Nil before that.
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

    /// True when the disk broke while the spool was last served on this boot, by this process or another one.
    var wasBroken: Bool { awaited != nil || AwaitedSpool.wasBroken(spoolID) }

    /// Called when the daemon begins to serve.
    func served() {
        servingSince = .now()
        AwaitedSpool.noteServed(spoolID)
        if awaited != nil { log.write(.notice, "recovered", at: service.now, ["of": Trouble.Kind.disk.rawValue]) }
    }

    /// Called when the daemon cannot continue because of `error`. If the disk is broken, notes that for the next daemon, calls `end`, and
    /// becomes the program that waits for the disk. Returns for any other error.
    ///
    /// Returns, too, in a user's daemon, and in one that ends anyway or has not served yet: these do not wait for the disk.
    func letGo(for error: SystemError, isStopping: Bool, _ end: () -> Void) throws(SystemError) {
        guard error.isOfBrokenDisk else { return }
        // A daemon that has not served yet has recorded nothing, unless a sync of its own failed. So the next daemon needs no note.
        if servingSince != nil || error.isFailedSync { AwaitedSpool.noteBroken(spoolID) }
        guard let since = servingSince, !isStopping, options.user == nil else { return }
        let effect = "nothing is recorded, started or acknowledged until the spool is at \(options.spool) again and takes changes"
        service.begin(.disk, "\(error)", effect: effect)
        end()
        log.flush()
        // When the disk breaks again and again, the waits become longer.
        let isNew = MonotonicInstant.now().milliseconds(since: since) >= Self.provenMilliseconds
        try (isNew ? AwaitedSpool(id: spoolID) : awaited?.next ?? AwaitedSpool(id: spoolID)).hand(to: program)
    }
}
