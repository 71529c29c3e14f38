import Store

/// What a spool is a copy of.
package struct SpoolCopy {
    /// Where the original was made.
    let original: String
    /// Writes down that the spool is one of its own.
    let settled: () throws(SystemError) -> Void

    package init(of original: String, settled: @escaping () throws(SystemError) -> Void) {
        self.original = original
        self.settled = settled
    }
}
