import Glibc
import Linux
import Store

/// The time of a job of at. Seconds count for nothing: at's clock has minutes.
enum AtTime {
    /// The words of a time, which `--at` of spoolctl reads too.
    static func words(_ words: [String], _ session: Session) throws(Failure) -> Instant {
        let now = minute(of: session.now)
        let instant: Instant
        do throws(RecurrenceError) {
            instant = try Instant.parse(words.joined(separator: " "), zone: session.callerZone, now: now, as: .action)
        } catch {
            throw Failure(1, ["\(error)", "Garbled time"])
        }
        guard minute(of: instant) >= now else { throw Failure(1, "refusing to create job destined in the past") }
        return minute(of: instant)
    }

    /// `[[CC]YY]MMDDhhmm[.ss]`, as touch(1) reads it. Nil for any other text.
    static func posix(_ text: String, _ session: Session) -> Instant? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard (1...2).contains(parts.count), parts.allSatisfy({ $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            parts.count == 1 || parts[1].utf8.count == 2, [8, 10, 12].contains(parts[0].utf8.count)
        else { return nil }
        let digits = parts[0]
        let year =
            switch digits.count {
            case 8: self.text(session.now, "%Y")
            case 10: (digits.prefix(2) < "69" ? "20" : "19") + digits.prefix(2)
            default: String(digits.prefix(4))
            }
        let rest = Array(digits.suffix(8))
        let wall = "\(year)-\(String(rest[0..<2]))-\(String(rest[2..<4])) \(String(rest[4..<6])):\(String(rest[6..<8]))"
        return try? Instant.parse(wall, zone: session.callerZone, now: session.now)  // the caller refuses what is no time
    }

    static func minute(of instant: Instant) -> Instant { Instant(milliseconds: instant.milliseconds / 60_000 * 60_000) }

    /// The instant by the caller's clock, strftime(3).
    static func text(_ instant: Instant, _ format: String) -> String {
        var seconds = time_t(instant.milliseconds / 1000)
        var local = tm()
        localtime_r(&seconds, &local)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            let count = FileName.bytes(of: format).withUnsafeBufferPointer { bytes in
                let format = bytes.map { CChar(bitPattern: $0) } + [0]
                return strftime(buffer.baseAddress, buffer.count, format, &local)
            }
            return FileName.string(from: Array(UnsafeRawBufferPointer(buffer)[..<count]))
        }
    }
}
