import Store

/// The original of a copied spool.
package struct SpoolCopy {
    /// The place where the original was created.
    let original: String
    /// Records that the spool is a separate one.
    let settled: () throws(SystemError) -> Void

    package init(of original: String, settled: @escaping () throws(SystemError) -> Void) {
        self.original = original
        self.settled = settled
    }
}
