// Targets for libFuzzer, one for each kind of text that others write and this project reads. For all of them: no input traps, and none
// takes long or much memory. Each target says what else must hold.
//
// These files are not part of the package: `Tests/Fuzz/run` compiles them. `FUZZ_TARGET` is the name of the target to run.

import Glibc

/// The targets by name. Each takes any bytes.
private let targets: [String: @Sendable ([UInt8]) -> Void] = [
    "toml": fuzzTOML,
    "json": fuzzJSON,
    "script": fuzzScript,
    "cron": fuzzCron,
    "calendar": fuzzCalendar,
    "pattern": fuzzPattern,
    "rrule": fuzzRRule,
    "ics": fuzzCalendarFile,
    "time": fuzzTime,
    "tzif": fuzzTimeZone,
    "journal": fuzzJournal,
    "recovery": fuzzRecovery,
    "status": fuzzStatus,
    "worker": fuzzWorker,
    "job": fuzzJob,
    "task": fuzzTask,
    "control": fuzzControl,
    "crontab": fuzzCrontab,
    "atjob": fuzzAtJob,
    "edits": fuzzCrontabEdits,
    "http": fuzzHTTP,
]

private let target: @Sendable ([UInt8]) -> Void = {
    guard let name = getenv("FUZZ_TARGET"), let target = targets[String(cString: name)] else {
        fatalError("FUZZ_TARGET must be one of \(targets.keys.sorted())")
    }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    target(Array(UnsafeBufferPointer(start: data, count: count)))
    return 0
}

/// Traps if the condition is false. libFuzzer then keeps the input.
func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds { fatalError("does not hold: \(what())") }
}
