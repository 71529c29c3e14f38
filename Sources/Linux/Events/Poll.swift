import CLinux
import Glibc

/// Waits for many descriptors at once, epoll(7), level-triggered.
public struct Poll: ~Copyable {
    public let descriptor: FileDescriptor
    private let buffer: UnsafeMutableBufferPointer<epoll_event>

    /// The events to wait for, or the events that happened.
    public struct Flags: OptionSet, Sendable {
        public var rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }

        public static let readable = Self(rawValue: 0x1)
        public static let priority = Self(rawValue: 0x2)
        public static let writable = Self(rawValue: 0x4)
        /// In events only, always watched for.
        public static let error = Self(rawValue: 0x8)
    }

    /// A descriptor that is ready.
    public struct Event: Sendable, Equatable {
        /// The token it was added with.
        public var token: UInt64
        public var flags: Flags

        public init(token: UInt64, flags: Flags) {
            self.token = token
            self.flags = flags
        }
    }

    /// Makes an epoll set, epoll_create1(2). One wait returns at most `capacity` events; the next wait returns the others.
    public init(capacity: Int = 64) throws(SystemError) {
        descriptor = FileDescriptor(owning: try attempt("epoll_create1") { epoll_create1(Int32(EPOLL_CLOEXEC)) })
        buffer = .allocate(capacity: capacity)
    }

    deinit { buffer.deallocate() }

    /// Watches a descriptor. Its events have the token `token`.
    public borrowing func add(_ raw: Int32, _ flags: Flags = .readable, token: UInt64) throws(SystemError) {
        try control(EPOLL_CTL_ADD, raw, flags, token)
    }

    /// Stops watching a descriptor. Closing the descriptor does the same, unless it was duplicated.
    public borrowing func remove(_ raw: Int32) throws(SystemError) { try control(EPOLL_CTL_DEL, raw, [], 0) }

    private borrowing func control(_ operation: Int32, _ raw: Int32, _ flags: Flags, _ token: UInt64) throws(SystemError) {
        let own = descriptor.raw
        var event = epoll_event(events: flags.rawValue, data: epoll_data_t(u64: token))
        try attempt("epoll_ctl") { epoll_ctl(own, operation, raw, &event) }
    }

    /// Waits for events, epoll_wait(2), and stores them in `events`. Waits at most `timeoutMilliseconds`, or without limit for -1. `events`
    /// is empty when the time is over or a signal handler ran.
    public borrowing func wait(timeoutMilliseconds: Int32 = -1, into events: inout [Event]) throws(SystemError) {
        events.removeAll(keepingCapacity: true)
        let count = epoll_wait(descriptor.raw, buffer.baseAddress, Int32(buffer.count), timeoutMilliseconds)
        if count < 0 {
            if errno == EINTR { return }
            throw SystemError(call: "epoll_wait", errno: errno)
        }
        for index in 0..<Int(count) {
            events.append(Event(token: buffer[index].data.u64, flags: Flags(rawValue: buffer[index].events)))
        }
    }
}
