import CLinux
import Glibc
import Linux

/// ctrl-C, and SIGTERM, while a command waits for jobs: a job is not the terminal's, so whoever waits decides what becomes
/// of it. A signal that the caller of spoolctl has ignored stays ignored.
final class Interrupt {
    private let signals: SignalDescriptor

    init() throws(Failure) {
        let numbers = [SIGINT, SIGTERM].filter { linux_is_signal_ignored($0) == 0 }
        signals = try attempt { () throws(SystemError) in try SignalDescriptor(numbers) }
    }

    /// Ready when one has come.
    var poll: pollfd { pollfd(fd: signals.descriptor.raw, events: Int16(POLLIN), revents: 0) }

    /// The signal that has come; nil when none has.
    func take() throws(Failure) -> Int32? {
        try attempt { () throws(SystemError) in try signals.next()?.number }
    }
}

extension Option {
    static let cancelOnInterrupt = Option("cancel-on-interrupt", "ctrl-C cancels what is waited for, instead of leaving it to itself")
}
