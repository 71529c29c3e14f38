import Glibc
import Linux
import Store

/// The numbers of jobs of at in one part of the spool.
///
/// Invariants:
/// - The file has the number given last. Only the holder of its lock reads and writes it. A number is given again after a million others,
///   but not while a job that waits or runs has it.
/// - A number overwrites one of the same length, so neither a full disk nor a power cut leaves an empty file. When the file is damaged, the
///   next number is the one after the highest of the jobs that wait or run.
struct AtNumbers {
    private static let file = "\(Layout.state)/at-number"
    private static let max = 1_000_000
    private static let width = 7

    /// - Parameter used: the numbers of jobs that wait or run.
    static func next(_ fs: DiskFileSystem, besides used: Set<Int>) throws(Failure) -> Int {
        guard used.count < max else { throw Failure(1, "all \(max) numbers are in use") }
        return try give(fs) { last in
            var number = last ?? Swift.min(used.max() ?? 0, max)
            repeat { number = number % max + 1 } while used.contains(number)
            return number
        }
    }

    /// Jobs with numbers up to this one have been taken over from another at, so the next number is a later one.
    static func takeOver(upTo number: Int, _ fs: DiskFileSystem) throws(Failure) {
        _ = try give(fs) { Swift.max($0 ?? 0, Swift.min(number, max)) }
    }

    /// Changes the number given last, nil when it is not known, and returns it.
    private static func give(_ fs: DiskFileSystem, _ change: (Int?) -> Int) throws(Failure) -> Int {
        try attempt { () throws(SystemError) in
            let file = try FileDescriptor.open("\(fs.path)/\(file)", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: 0o600)
            try file.lock()
            let text = String(decoding: try file.readAll(limit: 64), as: UTF8.self)
            let last = Int(text.prefix { $0.isNumber }).flatMap { (1...max).contains($0) ? $0 : nil }
            let number = change(last)
            let digits = String(number)
            try file.write(Array("\(String(repeating: "0", count: width - digits.utf8.count))\(digits)\n".utf8), at: 0)
            try file.syncData()
            return number
        }
    }

    /// The number of a job of at; nil for any other job.
    static func number(ofJob id: String) -> Int? {
        guard JobID(id) != nil, let dash = id.lastIndex(of: "-") else { return nil }
        let name = id[..<dash].dropFirst(21)
        guard name.hasPrefix("at-"), let number = Int(name.dropFirst(3)), number > 0, name == "at-\(number)" else { return nil }
        return number
    }
}
