// Programs for libFuzzer, one for each kind of text that others write and this project reads. What holds for all of them: no
// input traps, and none takes long or much memory. What holds besides is written with each.
//
// Not part of the package: `Tests/Fuzz/run` compiles it. `FUZZ_TARGET` names the one that is wanted.

import Glibc

/// By name; each takes any bytes at all.
private let targets: [String: @Sendable ([UInt8]) -> Void] = [
    "toml": fuzzTOML,
    "json": fuzzJSON,
    "script": fuzzScript,
    "cron": fuzzCron,
    "calendar": fuzzCalendar,
    "pattern": fuzzPattern,
    "rrule": fuzzRRule,
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

/// What must hold of an input; libFuzzer keeps the one for which it does not.
func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds { fatalError("does not hold: \(what())") }
}
