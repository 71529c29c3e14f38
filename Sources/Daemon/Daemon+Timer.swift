import Linux
import Scheduler
import Store

// The one timer by the wall clock, which also tells when that clock is set.

extension Daemon {
    /// Sets the timer to whatever comes first.
    func armTimer() throws(SystemError) {
        var wake = service.nextWake
        func consider(_ instant: Instant) { wake = wake.map { min($0, instant) } ?? instant }
        if service.isPublishDue { consider(publishedAt.advanced(byMilliseconds: Self.publishMilliseconds)) }
        if let idleSince, !idleWorkers.isEmpty {
            consider(idleSince.advanced(byMilliseconds: Self.idleWorkerMilliseconds))
        }
        if let left = millisecondsUntilOverdue { consider(now.advanced(byMilliseconds: left)) }
        if let left = millisecondsUntilCheckOverdue { consider(now.advanced(byMilliseconds: left)) }
        if let left = millisecondsUntilUsersNeedTending { consider(now.advanced(byMilliseconds: left)) }
        if let left = millisecondsUntilPathLook { consider(now.advanced(byMilliseconds: left)) }
        if let lookAt = configurationFile?.lookAt { consider(lookAt) }
        if let left = idleTime.millisecondsUntilOver(at: Clock.monotonicMilliseconds()) { consider(now.advanced(byMilliseconds: left)) }
        if let nextRestEnd { consider(nextRestEnd) }
        if let left = log.millisecondsUntilCount { consider(now.advanced(byMilliseconds: left)) }
        if let left = link?.millisecondsUntilReport { consider(now.advanced(byMilliseconds: left)) }
        if let lookAt = accounts.lookAt { consider(lookAt) }
        if let left = millisecondsUntilLook { consider(now.advanced(byMilliseconds: left)) }
        if let left = adopted.millisecondsUntilLook { consider(now.advanced(byMilliseconds: left)) }
        if held != nil { consider(gateLookAt) }
        if let startLimit, !startLimit.isTrying { consider(startLimit.againAt) }
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
            service.arrivals.nudge()
        }
    }

    /// By a person, by NTP, or by waking from suspend. The turn that follows plans by what the clock shows now; what the daemon
    /// itself meant to do a while later must not wait for a clock set back to come there again.
    func clockWasSet() {
        service.clockWasSet()
        if let lookAt = configurationFile?.lookAt {
            configurationFile?.lookAt = min(lookAt, now.advanced(byMilliseconds: Service<DiskFileSystem, Daemon>.unreadyMilliseconds))
        }
        gateLookAt = min(gateLookAt, now)
        if let limit = startLimit { startLimit?.againAt = min(limit.againAt, now.advanced(byMilliseconds: limit.delayMilliseconds)) }
        idleSince = idleSince.map { min($0, now) }
        publishedAt = min(publishedAt, now)
        // Accounts expire by the clock.
        lookAtUsers()
        wakeAll()
        armed = nil
    }
}
