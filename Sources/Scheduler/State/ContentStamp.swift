/// The attributes of a definition's file at the time when its text was read, as one number. A file that still has the same number still has
/// the same text, and need not be read again.
///
/// A change of the content, the owner, the mode or the links sets the time of the last change to the present time, and no call can set it
/// to another one. Only a machine's clock that was set back can give an earlier time again.
public struct ContentStamp: Sendable, Hashable {
    /// Never 0. Two different files, or two states of one, have the same number with a probability of 2⁻⁶⁴.
    public let number: UInt64

    /// A stamp that the journal contains.
    public init?(number: UInt64) {
        if number == 0 { return nil }
        self.number = number
    }

    public init(inode: UInt64, size: Int64, modifiedNanoseconds: Int64, changedNanoseconds: Int64) {
        var number: UInt64 = 0
        for part in [inode, UInt64(bitPattern: size), UInt64(bitPattern: modifiedNanoseconds), UInt64(bitPattern: changedNanoseconds)] {
            number = Self.mixed(number ^ part)
        }
        self.number = number == 0 ? 1 : number
    }

    /// The last step of SplitMix64, which maps each number to another one. The journal contains the result, so this must not change.
    private static func mixed(_ number: UInt64) -> UInt64 {
        var number = number &+ 0x9E37_79B9_7F4A_7C15
        number = (number ^ number >> 30) &* 0xBF58_476D_1CE4_E5B9
        number = (number ^ number >> 27) &* 0x94D0_49BB_1331_11EB
        return number ^ number >> 31
    }

    /// The kernel's clock for files advances in steps of at most 10 ms. Ten times that is a safe margin.
    private static let marginMilliseconds: Int64 = 100

    /// Some file systems keep whole seconds, and FAT keeps even ones.
    private static let marginOfWholeSecondsMilliseconds: Int64 = 3000

    /// The instant after which a change of the file gives it another stamp. After a change shortly before, the next one may get the same
    /// time.
    ///
    /// - Parameter changedNanoseconds: the time of the file's last change.
    public static func settles(changedNanoseconds: Int64) -> Instant {
        let isWhole = changedNanoseconds % 1_000_000_000 == 0
        let margin = isWhole ? marginOfWholeSecondsMilliseconds : marginMilliseconds
        return Instant(milliseconds: changedNanoseconds / 1_000_000 + margin)
    }
}
