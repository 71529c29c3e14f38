import CLinux
import Glibc
import Linux
import WorkerProtocol

/// The loop: waits for commands, signals and deadlines, one at a time.
struct Worker: ~Copyable {
    private let socket: FileDescriptor
    private let signals: SignalDescriptor
    private var record: RecordFile
    /// The open cgroup for commands of another user to enter, who could not open it.
    private let group: RawBox?
    private let inbox = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    private var frames = FrameBuffer()
    private var run: Run?
    private var leftovers = Leftovers()
    private var laterCuts = LaterCuts()
    /// Senders of the output of ended runs whose reader has not taken all of it yet, oldest first.
    private var lateSenders: [OutputSender] = []
    private static let lateSendersMax = 16
    private let output: DaemonOutput
    /// The end of a run that the disk has refused to record, and when the worker tries that again.
    private var unrecorded: (end: RunEnd, tryAgainAt: MonotonicInstant)?
    /// The daemon is gone: no more commands arrive, and nobody reads reports.
    private var daemonIsGone = false
    private var exitCode: Int32 = 0

    /// Takes the socket only when nothing has failed: after an error the caller still has the socket to report it to the daemon.
    init(socket: Int32, record: Int32, group: RawBox?) throws(SystemError) {
        let record = try RecordFile(FileDescriptor(owning: record))
        let signals = try SignalDescriptor([SIGCHLD, SIGTERM, SIGUSR1])
        try detach()
        self.socket = FileDescriptor(owning: socket)
        self.record = record
        self.group = group
        self.signals = signals
        output = DaemonOutput { Self.send($0, to: socket) }
    }

    deinit { inbox.deallocate() }

    /// Serves until the daemon is gone or a signal ends the worker. Returns the exit code.
    consuming func serve() -> Int32 {
        while true {
            if run == nil && unrecorded == nil && lateSenders.isEmpty && (daemonIsGone || exitCode != 0) { break }
            let (hasCommand, hasSignal, hasInput) = wait()
            // Signals first: the end of a run is reported before a command for that run is read.
            if hasSignal { takeSignal() }
            if hasCommand { takeCommands() }
            if hasInput {
                run?.lookAtInput()
                askToEnd()
            }
            if run?.deadline != nil { enforceDeadlines() }
            laterCuts.lookIfDue()
            sendLate()
            if let unrecorded, unrecorded.tryAgainAt <= .now() { record(unrecorded.end) }
        }
        laterCuts.lookAtAll()
        // The daemon may not have read the last report, so its journal may lack that end.
        record.sync()
        return exitCode
    }

    private mutating func wait() -> (hasCommand: Bool, hasSignal: Bool, hasInput: Bool) {
        // poll(2) skips a negative descriptor. A socket at its end would wake poll for ever.
        var descriptors = (
            pollfd(fd: daemonIsGone ? -1 : socket.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0),
            pollfd(fd: run?.inputEvents ?? -1, events: Int16(POLLIN), revents: 0)
        )
        let deadline = [run?.deadline, laterCuts.nextLookAt, unrecorded?.tryAgainAt, lateSenders.lazy.map(\.nextLookAt).min()]
            .lazy.compactMap(\.self).min()
        let timeout = deadline.map { $0.pollTimeout() } ?? -1
        let count = withUnsafeMutablePointer(to: &descriptors) {
            $0.withMemoryRebound(to: pollfd.self, capacity: 3) { poll($0, 3, timeout) }
        }
        guard count > 0 else { return (false, false, false) }
        return (descriptors.0.revents != 0, descriptors.1.revents != 0, descriptors.2.revents != 0)
    }
}

// MARK: - Signals

extension Worker {
    private mutating func takeSignal() {
        guard let signal = try? signals.next() else { return }  // level-triggered: signals that are left wake poll again
        switch signal.number {
        case SIGCHLD: reap()
        case SIGTERM:
            if run == nil { leave() } else { stop(killAfterMilliseconds: nil) }
        default:
            if run == nil { leave() } else { stop(killAfterMilliseconds: 0) }
        }
    }

    /// A signal ends an idle worker, even one whose last run is not on record yet.
    private mutating func leave() {
        loseDaemon()
        unrecorded = nil
        lateSenders = []
    }

    /// Reaps every child that has ended, and ends the run if its command is among them.
    private mutating func reap() {
        var anyAlive = true
        while true {
            run?.killGroupBeforeReaping()
            var status: Int32 = 0
            var usage = rusage()
            let pid = linux_wait4(-1, &status, WNOHANG, &usage)
            if pid > 0 {
                if pid == run?.pid { run!.commandEnded(status, usage) } else { leftovers.ended(pid) }
                continue
            }
            if pid < 0 && errno == EINTR { continue }
            anyAlive = pid == 0
            break
        }
        settle(anyAlive: anyAlive)
    }

    /// Decides what to do with the processes that the ended command left. Reports the end when there is nothing to wait for.
    private mutating func settle(anyAlive: Bool) {
        guard run?.isCommandEnded == true else { return }
        let mine = anyAlive ? leftovers.children(ofRun: run!.pid) : []
        if mine.isEmpty || run!.hasGivenUp || !run!.endsLeftovers {
            leftovers.adopt(mine)
            finish(leftovers: mine.count)
        } else if run!.isKilling {
            Leftovers.kill(mine)
            run!.retryKilling()
        } else {
            // These processes have until the kill deadline. Every SIGCHLD calls this again.
            run!.stopLeftovers()
            if run!.takeAsking() { run!.ask(leftovers.processes(ofRun: run!.pid)) } else { run!.ask(mine) }
        }
    }

    private mutating func finish(leftovers: Int) {
        guard let ended = run else { return }
        run = nil
        // Cut before the report: after the report the daemon moves the directory.
        let later = ended.finishOutput()
        report(ended.end(leftovers: leftovers))
        laterCuts.add(later)
        lateSenders += ended.outputSenders.filter { !$0.isFinished }
        while lateSenders.count > Self.lateSendersMax { lateSenders.removeFirst().giveUp() }
    }

    /// Sends more of the output of ended runs.
    private mutating func sendLate() {
        guard !lateSenders.isEmpty else { return }
        let now = MonotonicInstant.now()
        for sender in lateSenders where sender.nextLookAt <= now { sender.look() }
        lateSenders.removeAll(where: \.isFinished)
    }
}

// MARK: - Commands

extension Worker {
    private mutating func takeCommands() {
        let count = recv(socket.raw, inbox.baseAddress, inbox.count, 0)
        if count < 0 && (errno == EINTR || errno == EAGAIN) { return }
        guard count > 0 else { return loseDaemon() }
        frames.append(UnsafeRawBufferPointer(rebasing: inbox[..<count]))
        do throws(ProtocolError) {
            while let body = try frames.next() { carryOut(try Command(body: body)) }
        } catch {
            // The limits between frames are lost, so this daemon cannot be served any longer.
            loseDaemon()
            exitCode = 1
        }
    }

    private mutating func carryOut(_ command: Command) {
        switch command {
        case .run(let request): start(request)
        case .signal(let number): signal(number)
        case .stop(let killAfterMilliseconds): stop(killAfterMilliseconds: killAfterMilliseconds)
        case .outputTaken(let count):
            output.taken(count)
            for sender in (run?.outputSenders ?? []) + lateSenders { sender.look() }
            lateSenders.removeAll(where: \.isFinished)
        }
    }

    /// The daemon is gone, or cannot be served any longer.
    private mutating func loseDaemon() {
        daemonIsGone = true
        output.daemonIsGone()
    }

    private mutating func start(_ request: RunRequest) {
        let startedAt = Clock.now()
        do throws(StartFailure) {
            if let run {
                throw StartFailure(errno: EBUSY, message: "this worker is still running \(run.request.jobID)")
            }
            // A daemon that sends the next run has handled the end of the last one.
            unrecorded = nil
            do throws(SystemError) { try record.write(aboutToRun: request, startedAt: startedAt) } catch {
                // Another worker, or a later attempt, may succeed.
                send(.cannotServe(errno: error.errno, message: "its record cannot be written: \(error.message)"))
                exitCode = 3
                return
            }
            var remarks: [String] = []
            let request = try request.withEnvironmentFile(&remarks)
            let (process, input) = try startCommand(request, entering: group, &remarks)
            input?.begin()
            run = Run(request: request, pid: process.pid, startedAt: startedAt, input: input, output: output)
            // The input may have become complete, or broken off, before it was watched.
            run?.lookAtInput()
            try? record.write(running: request, process, startedAt: startedAt)  // full disk: "about to begin" stays in the record
            if !remarks.isEmpty { send(.remark(jobID: request.jobID, attempt: request.attempt, remarks.joined(separator: ". "))) }
            writeEnvironmentFile(request)
        } catch {
            let end = RunEnd(
                jobID: request.jobID, attempt: request.attempt,
                kind: .spawnFailed(errno: error.errno, message: error.message), startedAt: startedAt, endedAt: Clock.now())
            if run == nil { report(end) } else { send(.ended(end)) }
        }
    }

    private mutating func signal(_ number: Int32) {
        guard let run else { return }
        // The daemon has written a change of the limit into the job's directory.
        if number == 0 { return self.run!.lookAtLimit() }
        run.signal(number)
        if run.isCommandEnded {
            for child in leftovers.children(ofRun: run.pid) where child.processGroup == run.pid { child.signal(number) }
        }
    }

    private mutating func stop(killAfterMilliseconds: Int64?) {
        run?.stop(killAfterMilliseconds: killAfterMilliseconds)
        askToEnd()
        enforceDeadlines()
    }

    /// Asks all processes of the run to end, if that is due.
    private mutating func askToEnd() {
        guard run?.takeAsking() == true else { return }
        run!.ask(leftovers.processes(ofRun: run!.pid))
    }

    private mutating func enforceDeadlines() {
        guard let deadline = run?.deadline, deadline <= .now() else { return }
        run!.strike()
        if run!.takeAnnouncement() {
            send(.running(jobID: run!.request.jobID, attempt: run!.request.attempt, pid: run!.pid))
        }
        askToEnd()
        // Also asks processes that have left the command's group, if they are children of the worker by now.
        if run!.isKilling && !run!.isCommandEnded { Leftovers.kill(leftovers.children(ofRun: run!.pid)) }
        reap()
    }
}

// MARK: - Reports

extension Worker {
    private mutating func report(_ end: RunEnd) {
        record(end)
        send(.ended(end))
    }

    /// Writes the end of the run into the record. While the disk is full, the worker lives on and tries again: without a daemon, only the
    /// record reports the end. A worker on a broken or read-only disk ends, so that the disk can be unmounted.
    private mutating func record(_ end: RunEnd) {
        unrecorded = nil
        do throws(SystemError) { try record.write(ended: end) } catch {
            if error.isOfDisk, !error.isOfBrokenDisk { unrecorded = (end, MonotonicInstant.now().advanced(byMilliseconds: 1000)) }
        }
    }

    private mutating func send(_ report: Report) {
        if daemonIsGone { return }
        // EPIPE: the record contains the end.
        if !Self.send(report, to: socket.raw) { loseDaemon() }
    }

    /// Returns false when the daemon is gone.
    private static func send(_ report: Report, to socket: Int32) -> Bool {
        let frame = report.frame()
        var done = 0
        while done < frame.count {
            let count = frame.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress! + done, $0.count - done, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                done += count
            } else if errno == EAGAIN {
                var writable = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
                poll(&writable, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}

// MARK: - Starting

/// Leaves the daemon's session, and has orphaned processes of jobs become children of this worker.
private func detach() throws(SystemError) {
    // EPERM when the daemon has already started us in a session of our own.
    setsid()
    if linux_set_child_subreaper(1) != 0 { throw SystemError(call: "prctl", errno: errno) }
    // Blocked and not ignored: a command then gets the default for every signal without a system call for each.
    try SignalDescriptor.block([SIGPIPE, SIGHUP, SIGINT, SIGXFSZ])
    _ = umask(0o077)
    let null = try FileDescriptor.open("/dev/null", O_RDWR)
    // Jobs without input inherit descriptor 0.
    for number in Int32(0)...2 where dup2(null.raw, number) < 0 { throw SystemError(call: "dup2", errno: errno) }
    if chdir("/") != 0 { throw SystemError(call: "chdir", path: "/", errno: errno) }
}
