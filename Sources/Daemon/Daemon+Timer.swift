import Linux
import Scheduler

// The one timer by the wall clock, which also tells when that clock is set.

extension Daemon {
    /// Sets the timer to whatever comes first.
    func armTimer() throws(SystemError) {
        var wake = scheduler.nextWake()
        func consider(_ instant: Instant) { wake = wake.map { min($0, instant) } ?? instant }
        if isPublishDue { consider(publishedAt.advanced(byMilliseconds: Self.publishMilliseconds)) }
        if let idleSince, !idleWorkers.isEmpty {
            consider(idleSince.advanced(byMilliseconds: Self.idleWorkerMilliseconds))
        }
        if let expiry = expiries.next { consider(expiry) }
        if let left = millisecondsUntilOverdue { consider(now.advanced(byMilliseconds: left)) }
        if let left = millisecondsUntilPathLook { consider(now.advanced(byMilliseconds: left)) }
        if !unaccounted.isEmpty { consider(now.advanced(byMilliseconds: 20)) }
        if !unready.isEmpty { consider(unreadyLookAt) }
        if let configurationLookAt { consider(configurationLookAt) }
        if held != nil { consider(gateLookAt) }
        consider(nextPrune)
        if let watchdog = notification.watchdogMilliseconds {
            notification.send("WATCHDOG=1\n")
            consider(now.advanced(byMilliseconds: watchdog))
        }
        guard wake != armed else { return }
        armed = wake
        guard let wake else { return try timer.disarm() }
        // The clock was set since the timer last looked: the loop comes round again without waiting.
        if try timer.set(milliseconds: wake.milliseconds) {
            clockWasSet()
            arrivals.nudge()
        }
    }

    /// By a person, by NTP, or by waking from suspend. The turn that follows plans by what the clock shows now; what the daemon
    /// itself meant to do a while later must not wait for a clock set back to come there again.
    func clockWasSet() {
        log.write(.notice, "clock-set", at: now)
        unreadyLookAt = min(unreadyLookAt, now.advanced(byMilliseconds: Self.unreadyMilliseconds))
        configurationLookAt = configurationLookAt.map { min($0, now.advanced(byMilliseconds: Self.unreadyMilliseconds)) }
        gateLookAt = min(gateLookAt, now)
        nextPrune = min(nextPrune, now.advanced(byMilliseconds: Self.pruneMilliseconds))
        idleSince = idleSince.map { min($0, now) }
        publishedAt = min(publishedAt, now)
        armed = nil
    }
}
