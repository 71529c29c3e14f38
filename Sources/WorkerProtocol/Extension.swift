/// The file `extend` in a job's directory: by how much the timeout of the try that runs has been moved.
///
/// Each line adds a number of seconds, so `echo 600 >> extend` gives ten minutes more. Whoever may write into the directory may do
/// so, with the daemon up or down: the worker reads the file when the timeout strikes, and at no other time.
public enum Extension {
    public static let fileName = "extend"

    /// More than anybody writes; a longer file counts as none.
    public static let bytesMax = 1 << 20

    /// The sum of all lines in milliseconds; 100 years at most, in all. A line that is no positive number counts as nothing.
    public static func milliseconds(_ text: [UInt8]) -> Int64 {
        var sum = 0.0
        for line in text.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            guard let seconds = Double(String(decoding: line, as: UTF8.self)), seconds > 0 else { continue }
            sum = min(sum + seconds, 100 * 365.25 * 86_400)
        }
        return Int64((sum * 1000).rounded())
    }

    /// The line that adds so much.
    public static func line(milliseconds: Int64) -> String {
        let rest = String(1000 + milliseconds % 1000).dropFirst()
        return rest == "000" ? "\(milliseconds / 1000)\n" : "\(milliseconds / 1000).\(rest)\n"
    }
}
