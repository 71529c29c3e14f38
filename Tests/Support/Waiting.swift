import Glibc
import Linux

/// Waits until one of the descriptors is readable, or its other end is closed. Returns false when `end` comes first.
package func awaitReadable(_ descriptors: [Int32], until end: MonotonicInstant) -> Bool {
    var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while true {
        let timeout = end.pollTimeout()
        guard timeout > 0 else { return false }
        let count = poll(&polled, nfds_t(polled.count), timeout)
        if count > 0 { return true }
        if count == 0 || errno != EINTR { return false }
    }
}
