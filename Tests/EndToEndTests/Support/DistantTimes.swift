import Glibc

/// Parts of a time that is never now while a test runs, whenever that is: for schedules that must not be due during the test. A test asks
/// once, because the answer changes with the clock.
enum DistantTimes {
    /// The minute of the hour half an hour from now.
    static var minute: Int { (Int(now.tm_min) + 30) % 60 }
    /// The hour of the day half a day from now.
    static var hour: Int { (Int(now.tm_hour) + 12) % 24 }
    /// The month half a year from now, 1 to 12.
    static var month: Int { (Int(now.tm_mon) + 6) % 12 + 1 }

    /// The present time in UTC.
    private static var now: tm {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return parts
    }
}
