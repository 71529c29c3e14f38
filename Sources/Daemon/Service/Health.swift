import Scheduler
import Store

/// What is wrong, and what else `state/status.json` publishes of the service.
///
/// What must hold:
/// - A trouble is logged once when it begins and once when it is over. The same problem of a file is logged once.
/// - While the disk takes no changes, the operation that met this is repeated, and nothing else is done.
final class Health<FS: FileSystem, W: World>: ServicePart {
    unowned let service: Service<FS, W>

    private(set) var troubles: [Trouble.Kind: Trouble] = [:]
    /// Problems of definitions and other files, by the file's path without its ending.
    var problems: [String: [String]] = [:]
    private(set) var doneCount = 0
    private(set) var failedCount = 0
    /// Something has changed since `state/status.json` was written.
    var isPublishDue = true
    /// The daemon was told to stop while the disk did not take a change.
    private(set) var isStopping = false

    init(_ service: Service<FS, W>) { self.service = service }

    func count(_ ended: Job) {
        if ended.state == .done { doneCount += 1 } else { failedCount += 1 }
    }

    // MARK: Troubles

    /// A trouble has begun, or goes on. Logs it once.
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

    /// The cause of a trouble has gone.
    func end(_ kind: Trouble.Kind) {
        guard troubles.removeValue(forKey: kind) != nil else { return }
        log.write(.notice, "recovered", at: now, ["of": kind.rawValue])
        log.flush()
        isPublishDue = true
    }

    /// Repeats an operation while the disk cannot take it. A failed sync is not repeated: it ends the daemon.
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
        // The journal keeps the problems of definitions, not those of the configuration.
        if inForce == nil { spool.journal.add(.refused(file: path, why: lines.joined(separator: "\n")), at: now) }
        let inForce = inForce ?? (scheduler.definitions[path] == nil ? "none" : "the last definition that was accepted")
        for line in lines {
            log.write(.error, "refused", at: now, ["file": path, "error": line, "in_force": inForce], causedBy: user)
        }
    }

    func solved(_ path: String) {
        problems[path] = nil
        isPublishDue = true
    }
}

/// For the parts of the daemon outside of the service, which have troubles and problems too.
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

    package func begin(_ kind: Trouble.Kind, _ error: String, effect: String) { health.begin(kind, error, effect: effect) }

    package func end(_ kind: Trouble.Kind) { health.end(kind) }

    func report(problem lines: [String], of path: String, inForce: String? = nil, causedBy user: String? = nil) {
        health.report(problem: lines, of: path, inForce: inForce, causedBy: user)
    }

    func persistently<Value>(_ body: () throws(SystemError) -> Value) throws(SystemError) -> Value { try health.persistently(body) }
}
