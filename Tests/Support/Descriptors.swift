import Synchronization

/// Keeps tests from starting a process while another test writes a file. A process that is starting has a copy of every
/// descriptor until it executes its program. The file would then still be open for writing after the test has closed it, and the
/// programs under test would leave it alone.
package enum Descriptors {
    private static let lock = Mutex(())

    /// Starts a process, or opens, writes and closes a file, while no other test does so.
    package static func alone<Value: ~Copyable>(_ body: () throws -> sending Value) rethrows -> sending Value {
        try lock.withLock { _ in try body() }
    }
}
