import Scheduler
import Store

/// The present faults, and the other facts about the service in `state/status.json`.
///
/// Invariants:
/// - A trouble is logged once when it begins and once when it is over. The same problem of a file is logged once.
/// - While the disk accepts no changes, the failed operation is repeated, and nothing else is done.
final class Health<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    private(set) var troubles: [Trouble.Kind: Trouble] = [:]
    /// Problems of definitions and other files, by the file's path without its ending.
    var problems: [String: [String]] = [:]
    private(set) var doneCount = 0
    private(set) var failedCount = 0
    /// Something has changed since `state/status.json` was written.
    var isPublishDue = true { didSet { if isPublishDue { changes &+= 1 } } }
    /// Incremented with each such change.
    private(set) var changes: UInt64 = 1
    /// The daemon was asked to stop while the disk did not accept a change.
    private(set) var isStopping = false

    init(_ service: Service<FS, W>) { self.service = service }

    func count(_ ended: Job) {
        if ended.state == .done { doneCount += 1 } else { failedCount += 1 }
    }

    // MARK: Troubles

    /// A trouble has begun or continues. Logs it once.
    func begin(_ kind: Trouble.Kind, _ error: String, effect: String) {
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

    /// The cause of a trouble is gone.
    func end(_ kind: Trouble.Kind) {
        guard troubles.removeValue(forKey: kind) != nil else { return }
        log.write(.notice, "recovered", at: now, ["of": kind.rawValue])
        log.flush()
        isPublishDue = true
    }

    /// Repeats an operation while the disk cannot accept it. A failed sync is not repeated: it ends the daemon.
    func persistently<Value>(_ body: () throws(SystemError) -> Value) throws(SystemError) -> Value {
        while true {
            do throws(SystemError) {
                let value = try body()
                end(.disk)
                return value
            } catch {
                guard error.isOfDisk || error.isShortage, !error.isFailedSync else { throw error }
                if error.isOfDisk {
                    begin(.disk, "\(error)", effect: "nothing is started or acknowledged until this is over")
                } else {
                    service.intake.pause(error)
                }
                guard try world.waitForDisk(error) else {
                    isStopping = true
                    throw error
                }
            }
        }
    }

    // MARK: Problems of files

    /// A file cannot be used. Logs each problem once. A definition that was accepted before stays in force.
    func report(problem lines: [String], of path: String, inForce: String? = nil, causedBy user: String? = nil) {
        guard problems[path] != lines else { return }
        problems[path] = lines
        isPublishDue = true
        // The journal contains the problems of definitions, but not those of the configuration.
        if inForce == nil { spool.journal.add(.refused(file: path, why: lines.joined(separator: "\n")), at: now) }
        let inForce = inForce ?? (scheduler.definition(of: path) == nil ? "none" : "the last definition that was accepted")
        for line in lines {
            log.write(.error, "refused", at: now, ["file": path, "error": line, "in_force": inForce], causedBy: user)
        }
    }

    func hasProblem(of path: String) -> Bool { !problems.isEmpty && problems[path] != nil }

    func forgetProblem(of path: String) { if !problems.isEmpty { problems[path] = nil } }

    /// For a caller that does not know whether there was a problem.
    func solvedIfReported(_ path: String) { if hasProblem(of: path) { solved(path) } }

    func solved(_ path: String) {
        problems[path] = nil
        isPublishDue = true
    }
}

/// For the other parts of the daemon, which have troubles and problems too.
extension Service {
    package var troubles: [Trouble.Kind: Trouble] { health.troubles }

    var problems: [String: [String]] {
        get { health.problems }
        set { health.problems = newValue }
    }

    var isPublishDue: Bool {
        get { health.isPublishDue }
        set { health.isPublishDue = newValue }
    }

    /// Incremented with each change of what is published.
    var changes: UInt64 { health.changes }

    package func begin(_ kind: Trouble.Kind, _ error: String, effect: String) { health.begin(kind, error, effect: effect) }

    package func end(_ kind: Trouble.Kind) { health.end(kind) }

    func report(problem lines: [String], of path: String, inForce: String? = nil, causedBy user: String? = nil) {
        health.report(problem: lines, of: path, inForce: inForce, causedBy: user)
    }

    func persistently<Value>(_ body: () throws(SystemError) -> Value) throws(SystemError) -> Value { try health.persistently(body) }
}
