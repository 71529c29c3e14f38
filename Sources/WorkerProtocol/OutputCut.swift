/// The part that is missing from one output file of one try, because the file grew past `output_limit`.
///
/// The worker writes this record to a file beside the output before it removes anything. The record may concern two files, which
/// differ in their inode:
/// - The file that the command writes to. In this file, ``givenBack`` is now a hole.
/// - The shorter file that replaces it when the command has ended. In this file, ``notice`` stands for the missing part.
public struct OutputCut: Sendable, Equatable {
    /// The job's id. A record that is put back into `new/` still contains the cuts of the earlier job.
    public var jobID: String
    /// The inode of the file that the command writes to.
    public var inode: UInt64
    /// The part of that file that was given back to the disk. Empty when there is none.
    public var givenBack: Range<Int64>
    /// The range of the notice in the shorter file. Empty until the shorter file exists.
    public var notice: Range<Int64>
    /// The number of missing bytes for which the notice stands.
    public var leftOutBytes: Int64

    public init(jobID: String, inode: UInt64, givenBack: Range<Int64> = 0..<0, notice: Range<Int64> = 0..<0, leftOutBytes: Int64 = 0) {
        self.jobID = jobID
        self.inode = inode
        self.givenBack = givenBack
        self.notice = notice
        self.leftOutBytes = leftOutBytes
    }

    /// A longer file is not a record. Real records are much shorter.
    public static let bytesMax = 1024

    /// The file's name in the job's directory.
    public static func fileName(of output: String, attempt: Int) -> String { "\(output).\(attempt).cut" }

    public var text: String {
        let numbers = [givenBack.lowerBound, givenBack.upperBound, notice.lowerBound, notice.upperBound, leftOutBytes]
        return "\(jobID) \(inode) \(numbers.map(String.init).joined(separator: " "))\n"
    }

    /// Returns nil for a text that is not such a record.
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

    /// The missing part of the file with this inode: the bytes to skip, and the number of bytes of output for which they stand.
    public func gap(inFileOf inode: UInt64) -> (place: Range<Int64>, missing: Int64) {
        inode == self.inode ? (givenBack, Int64(givenBack.count)) : (notice, leftOutBytes)
    }
}
