import Executors
import Linux

/// The time that this call has, of the limit after which the daemon ends it. What is under way then has no answer.
struct CallTime {
    private let softEnd: MonotonicInstant
    /// Everything is cut off then, so that its answers are told before the daemon ends the call.
    let hardEnd: MonotonicInstant

    init(_ header: Header) {
        let now = MonotonicInstant.now()
        softEnd = now.advanced(byMilliseconds: header.callMilliseconds / 3 * 2)
        hardEnd = now.advanced(byMilliseconds: header.callMilliseconds / 6 * 5)
    }

    /// True while something may be begun that takes long.
    var isLeft: Bool { MonotonicInstant.now() < softEnd }

    /// The answer for what was not begun for lack of time.
    static let noneLeft = "there was no time left for it in this call"

    /// The limit of a program that usually needs less than `most`. One that ignores SIGTERM in a short call is ended with the group of this
    /// program, so no program outlives the call.
    func milliseconds(atMost most: Int64) -> Int64 {
        let left = (hardEnd.nanoseconds - MonotonicInstant.now().nanoseconds) / 1_000_000
        return max(1, min(most, left))
    }
}
