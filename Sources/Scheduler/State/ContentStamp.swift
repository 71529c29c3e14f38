/// The attributes of a definition's file at the time when its text was read. A file that has them still has the same text, and need not
/// be read again.
///
/// A change of the content, the owner, the mode or the links sets `changedNanoseconds` to the present time, and no call can set it to
/// another one. Only a machine's clock that was set back can give an earlier time again.
public struct ContentStamp: Sendable, Hashable {
    public var inode: UInt64
    public var size: Int64
    public var modifiedNanoseconds: Int64
    public var changedNanoseconds: Int64

    public init(inode: UInt64, size: Int64, modifiedNanoseconds: Int64, changedNanoseconds: Int64) {
        self.inode = inode
        self.size = size
        self.modifiedNanoseconds = modifiedNanoseconds
        self.changedNanoseconds = changedNanoseconds
    }

    /// The kernel's clock for files advances in steps of at most 10 ms. Ten times that is a safe margin.
    private static let marginMilliseconds: Int64 = 100

    /// Some file systems keep whole seconds, and FAT keeps even ones.
    private static let marginOfWholeSecondsMilliseconds: Int64 = 3000

    /// True when a change of the file after this instant gives it another stamp. After a change shortly before, the next one may get the
    /// same time.
    public func isSettled(at instant: Instant) -> Bool {
        let isWhole = changedNanoseconds % 1_000_000_000 == 0
        let margin = isWhole ? Self.marginOfWholeSecondsMilliseconds : Self.marginMilliseconds
        return changedNanoseconds / 1_000_000 < instant.milliseconds - margin
    }
}
