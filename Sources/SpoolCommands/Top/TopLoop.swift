// The loop of `top`: waits for changes in the spool, keys, signals, the daemon's exit, and for times at which the screen changes.
//
// - However the loop ends, the terminal's state is restored.
// - The spool is refreshed at most ten times a second, and for at most a fifth of the time. Until a refresh is due, events wait in
//   the kernel. Keys are handled at once.
// - A frame is one write, and an unchanged frame is not written.

import CLinux
import Glibc
import Linux
import Store

final class TopLoop {
    private let parts: TopParts
    private let keyboard: Keyboard
    private let signals: SignalDescriptor
    private var keys = KeyReader()
    private var screen: Screen
    private var size: ScreenSize
    private var state = ViewState()
    private var log: TopLog?
    /// The next time at which the screen changes without an event.
    private var changesAt: Instant?
    /// The time of a key's last byte, by the monotonic clock.
    private var keyAt = MonotonicInstant(nanoseconds: 0)
    /// The time of the next refresh at the earliest, by the monotonic clock.
    private var refreshAt = MonotonicInstant(nanoseconds: 0)

    private static let refreshMilliseconds: Int64 = 100
    /// The time for the remaining bytes of a key.
    private static let keyMilliseconds: Int64 = 50

    init(_ session: Session, _ parts: TopParts, _ keyboard: Keyboard) throws(Failure) {
        self.parts = parts
        self.keyboard = keyboard
        screen = Screen(hasColour: session.output.hasColour)
        size = Self.currentSize
        let wanted = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP].filter { linux_is_signal_ignored($0) == 0 }
        signals = try attempt { () throws(SystemError) in try SignalDescriptor(wanted) }
    }

    private static var currentSize: ScreenSize {
        let size = RawTerminal.size(STDOUT_FILENO)
        return ScreenSize(columns: size.columns, rows: size.rows)
    }

    func run() throws(Failure) -> Int32 {
        try enter()
        defer { leave() }
        try refresh()
        while true {
            guard draw() else { return ExitCode.done }
            if let code = try wait() { return code }
        }
    }

    // MARK: The terminal

    private func enter() throws(Failure) {
        try attempt { () throws(SystemError) in try keyboard.terminal.enter() }
        screen.forget()
        size = Self.currentSize
        _ = write(Screen.enter)
    }

    private func leave() {
        _ = write(Screen.leave)
        keyboard.terminal.leave()
    }

    /// False when the terminal has been closed.
    private func write(_ text: String) -> Bool {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count >= 0 {
                bytes = bytes.dropFirst(count)
            } else if errno == EAGAIN {
                // Another process that shares the terminal made it non-blocking.
                var polled = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
                _ = poll(&polled, 1, -1)
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    private func draw() -> Bool {
        let lines: [StyledLine]
        if let log {
            lines = log.page.lines(size, message: state.message)
            changesAt = nil
        } else {
            var snapshot = parts.snapshot
            snapshot.now = Instant(milliseconds: Clock.now())
            let frame = Frame(snapshot, state, size)
            lines = frame.lines
            changesAt = frame.changesAt
        }
        let update = screen.update(to: lines, size)
        return update.isEmpty || write(update)
    }

    /// ctrl-Z: restores the terminal, stops, and redraws when continued.
    private func stop() throws(Failure) {
        leave()
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTSTP)
        pthread_sigmask(SIG_UNBLOCK, &set, nil)
        kill(getpid(), SIGTSTP)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        try enter()
    }

    // MARK: Waiting

    /// Waits for an event and handles it. Returns the exit code when the loop ends.
    private func wait() throws(Failure) -> Int32? {
        let now = MonotonicInstant.now()
        let isRefreshDue = refreshAt <= now
        var deadlines: [MonotonicInstant] = []
        if keys.isPending { deadlines.append(keyAt.advanced(byMilliseconds: Self.keyMilliseconds)) }
        if !isRefreshDue || parts.isBehind { deadlines.append(max(now, refreshAt)) }
        if let again = parts.retryAt { deadlines.append(max(now, refreshAt, again)) }
        if let changesAt { deadlines.append(now.advanced(byMilliseconds: max(0, changesAt.milliseconds - Clock.now()))) }
        let daemons = parts.daemons
        let watches = isRefreshDue ? parts.watches : []
        var polls = ([keyboard.raw, signals.descriptor.raw] + daemons + watches).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let count = poll(&polls, nfds_t(polls.count), deadlines.min()?.pollTimeout(at: now) ?? -1)
        if count < 0, errno != EINTR { throw Failure(SystemError(call: "poll", errno: errno)) }
        guard count > 0 else {
            if keys.isPending, keyAt.advanced(byMilliseconds: Self.keyMilliseconds) <= .now() {
                for key in keys.flush() where try take(key) { return ExitCode.done }
            }
            let time = MonotonicInstant.now()
            if refreshAt <= time, parts.isBehind || parts.retryAt.map({ $0 <= time }) ?? false { try refresh() }
            return nil
        }
        if polls[1].revents != 0, let code = try takeSignals() { return code }
        if polls[0].revents != 0 {
            guard let bytes = keyboard.read() else { return ExitCode.done }
            keyAt = .now()
            for key in keys.take(bytes) where try take(key) { return ExitCode.done }
        }
        for (raw, poll) in zip(daemons, polls.dropFirst(2)) where poll.revents != 0 { parts.noteExit(ofDaemon: raw) }
        if polls.dropFirst(2).contains(where: { $0.revents != 0 }) { try refresh() }
        return nil
    }

    private func takeSignals() throws(Failure) -> Int32? {
        while let signal = try attempt({ () throws(SystemError) in try signals.next() }) {
            switch signal.number {
            case SIGWINCH: size = Self.currentSize
            case SIGTSTP: try stop()
            case SIGINT: return ExitCode.done
            default: return ExitCode.signalBase + signal.number
            }
        }
        return nil
    }

    /// Refreshes the snapshot. The next refresh is due after four times as long as this one took.
    private func refresh() throws(Failure) {
        let begin = MonotonicInstant.now()
        if let message = try parts.refresh() { state.message = message }
        refreshLog()
        let end = MonotonicInstant.now()
        refreshAt = end.advanced(byMilliseconds: max(Self.refreshMilliseconds, 4 * end.milliseconds(since: begin)))
    }

    // MARK: Keys

    /// Handles a key; true when it quits.
    private func take(_ key: Key) throws(Failure) -> Bool {
        if let log {
            state.message = nil
            if log.take(key, rows: size.rows) {
                refreshLog()
            } else {
                self.log = nil
            }
            return false
        }
        switch state.take(key, parts.snapshot, page: max(1, size.rows / 4)) {
        case nil: break
        case .quit?: return true
        case .follow(let id)?: follow(id)
        case let action?: state.message = parts.perform(action)
        }
        return false
    }

    /// Reads new output. When it cannot be read, shows the error and returns to the lists.
    private func refreshLog() {
        do throws(Failure) { try log?.refresh() } catch {
            log = nil
            state.message = error.lines.first
        }
    }

    private func follow(_ id: String) {
        do throws(Failure) {
            let log = try parts.log(of: id)
            try log.refresh()
            self.log = log
        } catch {
            state.message = error.lines.first
        }
    }
}
