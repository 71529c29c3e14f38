import Linux
import Scheduler
import Store

extension Daemon: Part {
    package var wakeAt: Wake {
        var wake = Wake(wall: service.nextWake)
        func consider(_ instant: Instant) { wake.include(Wake(wall: instant)) }
        func consider(left: Int64) { wake.include(Wake(monotonic: .now().advanced(byMilliseconds: left))) }
        if service.isPublishDue { consider(publishedAt.advanced(byMilliseconds: Self.publishMilliseconds)) }
        if let idleSince, !idleWorkers.isEmpty {
            consider(idleSince.advanced(byMilliseconds: Self.idleWorkerMilliseconds))
        }
        if let left = millisecondsUntilCheckOverdue { consider(left: left) }
        if let left = millisecondsUntilUsersNeedTending { consider(left: left) }
        if let lookAt = configurationFile?.lookAt { consider(lookAt) }
        if let left = idleTime.millisecondsUntilOver(at: Clock.monotonicMilliseconds()) { consider(left: left) }
        if let nextRestEnd { consider(nextRestEnd) }
        if let left = log.millisecondsUntilCount { consider(left: left) }
        if let left = link?.millisecondsUntilReport { consider(left: left) }
        if let lookAt = accounts.lookAt { consider(lookAt) }
        if let left = millisecondsUntilLook { consider(left: left) }
        if let left = adopted.millisecondsUntilLook { consider(left: left) }
        if held != nil { consider(gateLookAt) }
        if let startLimit, !startLimit.isTrying { consider(startLimit.againAt) }
        if let watchdog = notification.watchdogMilliseconds { consider(left: watchdog) }
        return wake
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
    }
}
