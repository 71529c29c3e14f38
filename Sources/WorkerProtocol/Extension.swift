/// The file `extend` in a job's directory: the time that was added to the timeout of the current try.
///
/// Each line adds a number of seconds, so `echo 600 >> extend` adds ten minutes. Everybody who may write into the directory may
/// do so, even while the daemon is down: the worker reads the file when the timeout expires. A negative number makes the timeout shorter,
/// and a number begins one where the job has none; the daemon has the worker read the file then.
public enum Extension {
    public static let fileName = "extend"

    /// A longer file counts as absent. Real files are much shorter.
    public static let bytesMax = 1 << 20

    /// The sum of all lines in milliseconds, at most 100 years. A line that is not a number adds nothing.
    public static func milliseconds(_ text: [UInt8]) -> Int64 {
        var sum = 0.0
        for line in text.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            guard let seconds = Double(String(decoding: line, as: UTF8.self)), !seconds.isNaN else { continue }
            sum = max(min(sum + seconds, secondsMax), -secondsMax)
        }
        return Int64((sum * 1000).rounded())
    }

    private static let secondsMax = 100 * 365.25 * 86_400

    /// The line that adds this time, which may be negative.
    public static func line(milliseconds: Int64) -> String {
        let sign = milliseconds < 0 ? "-" : ""
        let (seconds, rest) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
        return rest == 0 ? "\(sign)\(seconds)\n" : "\(sign)\(seconds).\(String(1000 + rest).dropFirst())\n"
    }
}
