import CLinux
import Glibc

/// Reads signals from a descriptor instead of handling them in a signal handler, signalfd(2).
public struct SignalDescriptor: ~Copyable {
    /// Readable when there is a signal; non-blocking.
    public let descriptor: FileDescriptor

    /// One signal, struct signalfd_siginfo.
    public struct Signal: Sendable, Equatable {
        public var number: Int32
        /// The process that sent the signal, or the child that changed.
        public var pid: pid_t
        public var user: uid_t

        public init(number: Int32, pid: pid_t, user: uid_t) {
            self.number = number
            self.pid = pid
            self.user = user
        }
    }

    /// Blocks these signals in the calling thread, pthread_sigmask(3), so that they are read here from then on. The kernel merges equal
    /// signals that have not been read yet.
    public init(_ signals: [Int32]) throws(SystemError) {
        var set = try Self.block(signals)
        descriptor = FileDescriptor(owning: try attempt("signalfd") { signalfd(-1, &set, Int32(SFD_CLOEXEC | SFD_NONBLOCK)) })
    }

    /// Blocks these signals in the calling thread, pthread_sigmask(3), and has nothing read them. Returns their set.
    @discardableResult
    public static func block(_ signals: [Int32]) throws(SystemError) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        let failure = pthread_sigmask(SIG_BLOCK, &set, nil)
        if failure != 0 { throw SystemError(call: "pthread_sigmask", errno: failure) }
        return set
    }

    /// The next signal. Nil when there is none.
    public borrowing func next() throws(SystemError) -> Signal? {
        let raw = descriptor.raw
        var info = signalfd_siginfo()
        do throws(SystemError) {
            try attempt("read") { Glibc.read(raw, &info, MemoryLayout<signalfd_siginfo>.size) }
        } catch where error.errno == EAGAIN {
            return nil
        }
        return Signal(number: Int32(info.ssi_signo), pid: pid_t(bitPattern: info.ssi_pid), user: info.ssi_uid)
    }
}
