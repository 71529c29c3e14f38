import Scheduler
import Store

// Definitions may name tasks: to be started after them, or to be waited for. One that is not there may come in time, so it is
// no error; the log says so when it is named, and when it goes while others name it.

extension Service {
    /// Says which tasks these name, or whose definition is gone and still named, that are not there. When all of a turn's files
    /// have been looked at, as they may name one another.
    func warnOfMissingTasks(changed stems: Set<String>) {
        for stem in stems.sorted() {
            for reference in scheduler.tasks[stem]?.definition?.references ?? [] {
                warnIfMissing(reference.task, key: reference.key, file: "\(Layout.tasks)/\(stem)")
            }
        }
        let gone = stems.filter { scheduler.tasks[$0]?.definition == nil }
        guard !gone.isEmpty else { return }
        for (name, state) in scheduler.tasks where !stems.contains(name) {
            for reference in state.definition?.references ?? [] where gone.contains(reference.task) {
                warnIfMissing(reference.task, key: reference.key, file: "\(Layout.tasks)/\(name)")
            }
        }
    }

    func warnIfMissing(_ task: String, key: String, file: String) {
        guard scheduler.tasks[task]?.definition == nil else { return }
        log.write(.warning, "missing-task", at: now, ["file": file, "key": key, "task": task])
    }
}
