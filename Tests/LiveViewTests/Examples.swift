import LiveView
import Store
import TestSupport

/// An id whose short form is `NAME-NUMBER`.
func id(_ name: String, _ number: Int) -> String { "20261121T010000.000Z-\(name)-\(1000 + number)" }

func status(_ name: String, _ number: Int = 0, _ change: (inout JobStatus) -> Void = { _ in }) -> JobStatus {
    var status = JobStatus(id: id(name, number), name: name, due: after(-3600), createdAt: after(-3600), host: "h")
    change(&status)
    return status
}

/// Two jobs run, three wait, a task is due, and two jobs have ended.
func example() -> Snapshot {
    var snapshot = Snapshot(now: now, zone: .utc, spool: "/spool")
    snapshot.daemon.pid = 7
    snapshot.daemon.since = after(-7200)
    snapshot.surroundings.slots = 4
    snapshot.surroundings.queueSlots = ["disk": 1]
    snapshot.surroundings.pauses = [(.task("nightly"), "until Monday")]
    snapshot.running = [
        .init(
            status: status("backup") {
                $0.state = .running
                $0.startedAt = after(-65)
                $0.progress = Progress(fraction: 0.5, message: "half of it", at: now)
                $0.queue = "disk"
            }, timeoutMilliseconds: 600_000, locks: ["db"]),
        .init(
            status: status("report", 1) {
                $0.state = .running
                $0.startedAt = after(-5)
                $0.tags = ["monthly"]
            }),
    ]
    snapshot.runningCount = 2
    snapshot.surroundings.running = snapshot.running.map(\.status)
    snapshot.waiting = [
        .init(status: status("copy", 2) { $0.queue = "disk" }),
        .init(status: status("later", 3) { $0.notBefore = after(30) }),
        .init(status: status("first", 4) { $0.priority = 9 }, locks: ["db"]),
    ]
    snapshot.waitingCount = 3
    snapshot.due = [.init(instant: after(90), task: "nightly", schedule: "s1", note: "paused")]
    snapshot.ended = [
        status("good", 5) {
            $0.state = .done
            $0.endedAt = after(-10)
            $0.usage = Usage(wallMilliseconds: 1500, userMilliseconds: 0, systemMilliseconds: 0, maxRSSBytes: 0)
        },
        status("bad", 6) {
            $0.state = .failed
            $0.reason = .exit
            $0.exitCode = 3
            $0.error = "exited with 3"
            $0.endedAt = after(-20)
        },
    ]
    snapshot.rates.add(at: after(-10), isFailure: false)
    snapshot.rates.add(at: after(-200), isFailure: true)
    return snapshot
}
