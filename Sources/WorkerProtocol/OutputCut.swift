/// What is missing from one output file of one try, because it grew past `output_limit`.
///
/// The worker writes it to a file beside the output, before anything is missing. Two files can be meant, told apart by the inode:
/// - The file that the command writes to. Of that, ``givenBack`` is a hole by now.
/// - The shorter file that takes its place when the command has ended. In that, ``notice`` says what is left out.
public struct OutputCut: Sendable, Equatable {
    /// The job. A record that is put back into `new/` brings along the cuts of another.
    public var jobID: String
    /// The inode of the file that the command writes to.
    public var inode: UInt64
    /// The part of that file that was given back to the disk; empty when none was.
    public var givenBack: Range<Int64>
    /// The place of the notice in the shorter file; empty until there is one.
    public var notice: Range<Int64>
    /// How many bytes the notice stands for.
    public var leftOutBytes: Int64

    public init(jobID: String, inode: UInt64, givenBack: Range<Int64> = 0..<0, notice: Range<Int64> = 0..<0, leftOutBytes: Int64 = 0) {
        self.jobID = jobID
        self.inode = inode
        self.givenBack = givenBack
        self.notice = notice
        self.leftOutBytes = leftOutBytes
    }

    /// More than a record ever has; a longer file is none.
    public static let bytesMax = 1024

    /// The file's name in the job's directory.
    public static func fileName(of output: String, attempt: Int) -> String { "\(output).\(attempt).cut" }

    public var text: String {
        let numbers = [givenBack.lowerBound, givenBack.upperBound, notice.lowerBound, notice.upperBound, leftOutBytes]
        return "\(jobID) \(inode) \(numbers.map(String.init).joined(separator: " "))\n"
    }

    /// Nil for a text that is none.
    public init?(_ text: String) {
        guard text.hasSuffix("\n") else { return nil }
        let words = text.dropLast().split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 7, let inode = UInt64(words[1]) else { return nil }
        let numbers = words[2...].compactMap { Int64($0) }
        guard numbers.count == 5, numbers.allSatisfy({ $0 >= 0 }), numbers[0] <= numbers[1], numbers[2] <= numbers[3] else { return nil }
        self.init(
            jobID: String(words[0]), inode: inode, givenBack: numbers[0]..<numbers[1], notice: numbers[2]..<numbers[3],
            leftOutBytes: numbers[4])
    }

    /// What is missing from the file of this inode: bytes to pass over, and how many bytes of the output these stand for.
    public func gap(inFileOf inode: UInt64) -> (place: Range<Int64>, missing: Int64) {
        inode == self.inode ? (givenBack, Int64(givenBack.count)) : (notice, leftOutBytes)
    }
}
