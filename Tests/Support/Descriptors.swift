import Synchronization

/// Keeps the start of processes apart from the writing of files. A process that is being started has a copy of every descriptor of the
/// tests until it executes its program. A file that a test writes at that moment would still be open for writing after the test has
/// closed it, and the programs under test rightly leave such a file alone.
package enum Descriptors {
    private static let lock = Mutex(())

    /// Starts a process, or opens, writes and closes a file, while no other test does so.
    package static func alone<Value: ~Copyable>(_ body: () throws -> sending Value) rethrows -> sending Value {
        try lock.withLock { _ in try body() }
    }
}
