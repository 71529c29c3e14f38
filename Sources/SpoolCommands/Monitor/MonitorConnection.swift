import CLinux
import Glibc
import Linux
import Web

/// One connection of the monitor: the bytes that have come, and those that have not been sent yet.
///
/// - What it keeps is limited: a request by ``RequestParser``, an answer by the page, a stream by ``streamBytesMax``.
/// - Every state has a deadline, so no client can keep a connection by sending or reading slowly.
final class MonitorConnection {
    /// A page that a client follows by Server-Sent Events.
    struct Stream {
        var address: WebAddress
        /// The id of the page that the client has; nil when it has none.
        var shown: String?
        /// When the page may be made again at the earliest: a page that is dear to make is made less often.
        var renderAt: MonotonicInstant
        /// Something has changed since the page was made.
        var isStale = false
    }

    let descriptor: FileDescriptor
    private var parser = RequestParser()
    private var output: [UInt8] = []
    private var sent = 0
    /// The connection ends when all output is sent.
    private(set) var isClosing = false
    /// All output is sent, and the client has been told that no more follows. What it still sends is thrown away: closing the connection
    /// before that would make the client's system drop the answer (RFC 9112, 9.6).
    private var isLingering = false
    /// The client sends no more, but may still read.
    private var hasReadEnd = false
    private(set) var deadline: MonotonicInstant
    /// Since when it waits for its client: from the beginning of the connection, of a request, or of the wait for the next one.
    private(set) var usedAt: MonotonicInstant
    var stream: Stream?

    /// The time for a whole request, from its first byte or from the beginning of the connection.
    static let requestMilliseconds: Int64 = 10_000
    /// The time for which a connection waits for another request.
    static let idleMilliseconds: Int64 = 60_000
    /// The time for sending an answer, or some bytes of a stream.
    static let sendMilliseconds: Int64 = 30_000
    /// The time that a client has to end a connection after the last answer.
    static let lingerMilliseconds: Int64 = 2_000
    /// A client that is behind by more has stopped to read.
    private static let streamBytesMax = 4 << 20

    init(_ descriptor: consuming FileDescriptor, now: MonotonicInstant) {
        self.descriptor = descriptor
        usedAt = now
        deadline = now.advanced(byMilliseconds: Self.requestMilliseconds)
    }

    var hasOutput: Bool { sent < output.count }

    /// True when the connection waits for a request of which nothing has come.
    var isIdle: Bool { isLingering || stream == nil && !hasOutput && parser.isEmpty }

    /// The events that it waits for, as poll(2) takes them.
    var events: Int16 {
        if hasOutput { return Int16(POLLOUT) }
        // A stream reads too, so that it notices the end of the connection.
        return hasReadEnd ? 0 : Int16(POLLIN)
    }

    /// Reads what has come. Returns false when the connection is over.
    func receive(now: MonotonicInstant) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        let isRead = stream == nil && !isLingering
        let room = isRead ? min(buffer.count, parser.room) : buffer.count
        guard room > 0 else { return true }
        let count = recv(descriptor.raw, &buffer, room, 0)
        if count < 0 { return errno == EAGAIN || errno == EINTR }
        if count == 0 {
            hasReadEnd = true
            return hasOutput || isRead && !parser.isEmpty
        }
        // Bytes that a client sends beside a stream have no meaning here.
        guard isRead else { return true }
        // Empty lines before a request do not give it more time.
        if !hasBegun {
            hasBegun = true
            deadline = now.advanced(byMilliseconds: Self.requestMilliseconds)
            usedAt = now
        }
        mayHaveRequest = true
        parser.add(buffer[..<count])
        return true
    }

    /// True when the client sends no more, and has got all answers.
    var isOver: Bool { hasReadEnd && !hasOutput && !isPending }

    /// Another request may have come whole.
    private var mayHaveRequest = false
    /// A part of the next request has come, and its deadline is set.
    private var hasBegun = false

    /// True when another request may be there and can be answered now.
    var isPending: Bool { mayHaveRequest && stream == nil && !hasOutput && !isClosing }
    /// The bytes that have not been sent.
    var unsent: Int { output.count - sent }

    /// The next request. Nil while an answer is still being sent, or when none has come whole.
    func nextRequest() -> RequestParser.Step? {
        guard isPending else { return nil }
        let step = parser.next()
        mayHaveRequest = step != .incomplete
        return mayHaveRequest ? step : nil
    }

    /// Queues an answer.
    func answer(_ bytes: [UInt8], thenCloses: Bool, now: MonotonicInstant) {
        output = bytes
        sent = 0
        hasBegun = false
        isClosing = isClosing || thenCloses
        deadline = now.advanced(byMilliseconds: Self.sendMilliseconds)
    }

    /// Queues bytes of a stream. Returns false when the client has stopped to read.
    func add(_ bytes: [UInt8], now: MonotonicInstant) -> Bool {
        if !hasOutput { deadline = now.advanced(byMilliseconds: Self.sendMilliseconds) }
        output.removeFirst(sent)
        sent = 0
        output += bytes
        return output.count <= Self.streamBytesMax
    }

    /// Sends what can be sent. Returns false when the connection is over.
    func send(now: MonotonicInstant) -> Bool {
        while hasOutput {
            let count = output[sent...].withUnsafeBytes {
                Glibc.send(descriptor.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN
            }
            sent += count
            if stream != nil { deadline = now.advanced(byMilliseconds: Self.sendMilliseconds) }
        }
        output = []
        sent = 0
        if isClosing {
            guard !hasReadEnd, !isLingering, shutdown(descriptor.raw, Int32(SHUT_WR)) == 0 else { return isLingering }
            isLingering = true
            deadline = now.advanced(byMilliseconds: Self.lingerMilliseconds)
            return true
        }
        usedAt = now
        // A stream ends when its client does, or when a heartbeat cannot be sent.
        hasBegun = !parser.isEmpty
        let wait = hasBegun ? Self.requestMilliseconds : Self.idleMilliseconds
        deadline = stream == nil ? now.advanced(byMilliseconds: wait) : MonotonicInstant(nanoseconds: .max)
        return true
    }
}
