import Glibc
import Linux
import Scheduler
import Store
import WorkerProtocol

extension Daemon {
    /// Gives a job, which is journaled and in its place, to a worker.
    package func start(_ job: Job) {
        do {
            let identity = try runAs(job.definition)
            if let remark = identity.remark { note(remark, of: job) }
            var request = try RunRequest(job, as: identity.user, surroundings) { note($0, of: job) }
            let group = try group(of: job)
            if let group { request.confinement.append(.cgroup(group)) }
            try give(job, request, as: identity.credentials, in: group)
        } catch let error as RunNotPrepared {
            notStarted(job, error.why)
        } catch let error as SystemError where error.isRefusedStart {
            refused(job, "\(error)")
        } catch {
            notStarted(job, "no worker could be started: \(error)")
        }
    }

    /// Gives it to an idle worker, else to a new one. One that has been killed has not read all of it, and so has begun nothing:
    /// another gets it.
    private func give(_ job: Job, _ request: RunRequest, as credentials: Credentials?, in group: String?) throws(SystemError) {
        // Only root can open another user's way into a group, and a worker is root's for a moment at its start.
        let groupToOpen = credentials == nil ? nil : group
        var newOnes = 0
        while true {
            let worker: Worker
            if groupToOpen == nil, let idle = idleWorker(as: credentials) {
                worker = idle
            } else {
                worker = try newWorker(as: credentials, opening: groupToOpen)
                newOnes += 1
            }
            worker.isLast = worker.isLast || groupToOpen != nil
            worker.job = job
            do throws(SystemError) {
                try worker.send(.run(request))
                return
            } catch {
                // That it is gone, its socket will say.
                worker.job = nil
                if newOnes == Self.newWorkersMax { throw error }
            }
        }
    }

    private func notStarted(_ job: Job, _ why: String) {
        service.submit(.ended(job.id, attempt: job.attempt, RunResult(outcome: .notSpawned(why), startedAt: nil, endedAt: now)))
    }

    /// One that has nothing to do and serves that user.
    private func idleWorker(as credentials: Credentials?) -> Worker? {
        idleWorkers.lastIndex { $0.credentials == credentials }.map { idleWorkers.remove(at: $0) }
    }

    func newWorker(as credentials: Credentials?, opening group: String? = nil) throws(SystemError) -> Worker {
        var number = 1
        while true {
            if workers[number] == nil, try !isSpokenFor(record: String(number)) {
                let record = "\(options.spool)/\(Layout.workers)/\(number)"
                do throws(SystemError) {
                    let worker = try Worker(
                        program: options.worker, record: record, number: number, as: credentials, opening: group, isQuiet: link != nil)
                    workers[number] = worker
                    worker.token = try loop.add(worker.descriptor) { [unowned self] () throws(SystemError) in try takeReport(number) }
                    return worker
                } catch {
                    // A worker of an earlier daemon still has that record. The number alone may also mean that no process can be started.
                    guard error.call == "flock", error.errno == EWOULDBLOCK else { throw error }
                }
            }
            number += 1
        }
    }

    /// What this record says of a run has not been taken up yet: its worker, of an earlier daemon, may have written its end and
    /// gone a moment ago. While runs are sought, every record that is there may be one of theirs.
    private func isSpokenFor(record: String) throws(SystemError) -> Bool {
        if adopted.has(record: record) { return true }
        if service.unaccounted.isEmpty { return false }
        return try spool.fs.status("\(Layout.workers)/\(record)") != nil
    }

    func takeReport(_ number: Int) throws(SystemError) {
        guard let worker = workers[number] else { return }
        guard let reports = worker.receive() else { return try workerGone(worker) }
        for report in reports {
            switch report {
            case .running(let id, let attempt, let pid):
                guard let job = worker.job, job.id.text == id, job.attempt == attempt else { continue }
                job.pid = pid
                startSucceeded(job)
                refreshStatus(of: job)
            case .remark(let id, let attempt, let text):
                guard let job = worker.job, job.id.text == id, job.attempt == attempt else { continue }
                note(text, of: job)
            case .ended(let end):
                guard let job = worker.job, job.id.text == end.jobID, job.attempt == end.attempt else { continue }
                worker.job = nil
                if worker.isLast {
                    workers[worker.number] = nil
                    hearNoMore(of: worker)
                } else {
                    idleWorkers.append(worker)
                    idleSince = now
                }
                if case .spawnFailed(let errno, let message) = end.kind, SystemError(call: "spawn", errno: errno).isRefusedStart {
                    refused(job, message)
                    continue
                }
                startSucceeded(job)
                service.submit(.ended(job.id, attempt: end.attempt, RunResult(end)))
            case .cannotServe(let errno, let message):
                guard let job = worker.job else { continue }
                // Its end follows, and is nobody's.
                worker.job = nil
                let error = SystemError(call: "serve", errno: errno)
                if error.isOfDisk || error.isOfBrokenDisk {
                    refused(job, message)
                    continue
                }
                notStarted(job, "no worker could become user \(worker.credentials?.user ?? getuid()): \(message)")
            }
        }
    }

    /// A try was begun otherwise than its job says.
    private func note(_ remark: String, of job: Job) {
        service.submit(.remarked(job.id, remark))
        guard remarksTold.isNew(remark) || job.definition.fallsBack else { return }
        log.write(.warning, "substituted", at: now, ["id": job.id.text, "what": remark])
    }

    /// A running job's process is known: its `status.json` says so from now on.
    func refreshStatus(of job: Job) {
        guard job.place == .directory(.running) else { return }
        let directory = Layout.directory(of: job.id, .running)
        do throws(SystemError) {
            try spool.fs.replace("\(directory)/\(Layout.statusFile)", try spool.status(of: job, in: directory))
        } catch {
            // The process's number is a convenience, and the next change writes the whole status anew.
            guard service.troubles[.disk] == nil, !error.isOfDisk else { return }
            log.write(.warning, "status-not-written", at: now, ["id": job.id.text, "error": "\(error)"])
        }
    }

    /// Nothing more is heard of it.
    private func workerGone(_ worker: Worker) throws(SystemError) {
        workers[worker.number] = nil
        idleWorkers.removeAll { $0 === worker }
        hearNoMore(of: worker)
        if let job = worker.job {
            log.write(.error, "worker-died", at: now, ["worker": "\(worker.pid)", "id": job.id.text])
            let record = String(worker.number)
            guard try isAlive(record: record) else { return service.workerIsGone(job, record: record) }
            // It is just ending, or has let go of its socket and goes on.
            try watch(AdoptedWorker(job: job, record: record, process: nil))
        }
    }

    private func hearNoMore(of worker: Worker) {
        if let token = worker.token { loop.remove(worker.descriptor, token) }
    }

    package func stop(_ job: Job, _ how: Turn.Stop) {
        if let worker = workers.values.first(where: { $0.job === job }) {
            do throws(SystemError) {
                switch how {
                case .politely: try worker.send(.stop(killAfterMilliseconds: nil))
                case .kill: try worker.send(.stop(killAfterMilliseconds: 0))
                case .signal(let number): try worker.send(.signal(number))
                }
            } catch {
                // Its end is on its way: the socket will say so.
                log.write(.warning, "stop-not-sent", at: now, ["id": job.id.text, "error": "\(error)"])
            }
        } else if let worker = adopted.worker(of: job) {
            stop(worker, how)
        }
    }

    /// Workers that have had nothing to do for a while end: closing their socket tells them.
    func endIdleWorkers() {
        guard let idleSince, !idleWorkers.isEmpty,
            now >= idleSince.advanced(byMilliseconds: Self.idleWorkerMilliseconds)
        else { return }
        endIdleWorkers(keeping: 0)
    }

    func endIdleWorkers(keeping count: Int) {
        while idleWorkers.count > count, let worker = idleWorkers.popLast() {
            workers[worker.number] = nil
            hearNoMore(of: worker)
        }
        if idleWorkers.isEmpty { idleSince = nil }
    }
}
