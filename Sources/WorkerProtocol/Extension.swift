/// The file `extend` in a job's directory: the time that was added to the timeout of the current try.
///
/// Each line adds a number of seconds, so `echo 600 >> extend` adds ten minutes. Everybody who may write into the directory may
/// do so, even while the daemon is down: the worker reads the file when the timeout expires, and at no other time.
public enum Extension {
    public static let fileName = "extend"

    /// A longer file counts as absent. Real files are much shorter.
    public static let bytesMax = 1 << 20

    /// The sum of all lines in milliseconds, at most 100 years. A line that is not a positive number adds nothing.
    public static func milliseconds(_ text: [UInt8]) -> Int64 {
        var sum = 0.0
        for line in text.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            guard let seconds = Double(String(decoding: line, as: UTF8.self)), seconds > 0 else { continue }
            sum = min(sum + seconds, 100 * 365.25 * 86_400)
        }
        return Int64((sum * 1000).rounded())
    }

    /// The line that adds this time.
    public static func line(milliseconds: Int64) -> String {
        let rest = String(1000 + milliseconds % 1000).dropFirst()
        return rest == "000" ? "\(milliseconds / 1000)\n" : "\(milliseconds / 1000).\(rest)\n"
    }
}
