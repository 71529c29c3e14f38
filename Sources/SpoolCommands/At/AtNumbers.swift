import Glibc
import Linux
import Store

/// The numbers of jobs of at in one part of the spool.
///
/// Invariant: the file has the number given last, and only who holds its lock reads and writes it. A number comes again after a million
/// others.
struct AtNumbers {
    private static let file = "\(Layout.state)/at-number"
    private static let max = 1_000_000

    static func next(_ fs: DiskFileSystem) throws(Failure) -> Int { try give(fs) { $0 % max + 1 } }

    /// Jobs with numbers up to this one have been taken over from another at, so the next number is a later one.
    static func takeOver(upTo number: Int, _ fs: DiskFileSystem) throws(Failure) {
        _ = try give(fs) { Swift.max($0, Swift.min(number, max)) }
    }

    /// Changes the number given last, and returns it.
    private static func give(_ fs: DiskFileSystem, _ change: (Int) -> Int) throws(Failure) -> Int {
        try attempt { () throws(SystemError) in
            let file = try FileDescriptor.open("\(fs.path)/\(file)", O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode: 0o600)
            try file.lock()
            let text = String(decoding: try file.readAll(limit: 64), as: UTF8.self)
            // A damaged file begins again. A number that a job still has is then ambiguous, which atrm reports.
            let number = change(Int(text.prefix { $0.isNumber }) ?? 0)
            try file.truncate(to: 0)
            try file.write(Array("\(number)\n".utf8), at: 0)
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
