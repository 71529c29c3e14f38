/// Equal steps from an origin: `every`.
struct Interval: Sendable {
    let span: Span
    let fromStart: Bool

    /// The first of `origin + span`, `origin + 2 span`, … after `instant`. Months are always counted from the origin, so that the
    /// 31st returns after a February.
    func next(after instant: Instant, origin: Instant) -> Instant? {
        let end = Civil.endSeconds * 1000
        guard span.months >= 0, span.milliseconds >= 0, !span.isZero,
            instant.milliseconds < end, origin.milliseconds < end
        else { return nil }
        let due = span.months == 0 ? onFixedGrid(after: instant, origin: origin) : onCalendar(after: instant, origin: origin)
        guard let due, due.milliseconds < end else { return nil }
        return due
    }

    private func onFixedGrid(after instant: Instant, origin: Instant) -> Instant? {
        let step = Int128(span.milliseconds)
        let elapsed = Int128(instant.milliseconds) - Int128(origin.milliseconds)
        let count = elapsed < 0 ? 1 : elapsed / step + 1
        return Int64(exactly: Int128(origin.milliseconds) + count * step).map { Instant(milliseconds: $0) }
    }

    /// Steps of months differ in length, so the number of the step is found by bisection.
    private func onCalendar(after instant: Instant, origin: Instant) -> Instant? {
        guard span.months <= Span.longestMonths else { return nil }
        var low = 1
        var high = Span.longestMonths / span.months + 1
        guard step(high, from: origin) > instant else { return nil }
        while low < high {
            let middle = (low + high) / 2
            if step(middle, from: origin) > instant { high = middle } else { low = middle + 1 }
        }
        return step(low, from: origin)
    }

    private func step(_ count: Int, from origin: Instant) -> Instant {
        let milliseconds = span.milliseconds.multipliedReportingOverflow(by: Int64(count))
        return origin
            + Span(months: span.months * count, milliseconds: milliseconds.overflow ? .max : milliseconds.partialValue)
    }
}
