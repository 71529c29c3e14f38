import CLinux
import Glibc
import Linux

/// SIGINT (ctrl-C) and SIGTERM while a command waits for jobs. The terminal's signals do not reach the jobs, so the command decides
/// what becomes of them. A signal that the caller of spoolctl ignores stays ignored.
final class Interrupt {
    private let signals: SignalDescriptor

    init() throws(Failure) {
        let numbers = [SIGINT, SIGTERM].filter { linux_is_signal_ignored($0) == 0 }
        signals = try attempt { () throws(SystemError) in try SignalDescriptor(numbers) }
    }

    /// Ready when a signal is pending.
    var poll: pollfd { pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0) }

    /// The pending signal; nil when there is none.
    func take() throws(Failure) -> Int32? {
        try attempt { () throws(SystemError) in try signals.next()?.number }
    }
}

extension Option {
    static let cancelOnInterrupt = Option("cancel-on-interrupt", "ctrl-C cancels the jobs instead of leaving them running")
}
