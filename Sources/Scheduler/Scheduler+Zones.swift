// Time zones and calendars that change.

extension Scheduler {
    /// Handles zones whose rules have changed: definitions in force that use one of them are read again, and their schedules are
    /// planned again. Handled times stay handled: for a fixed schedule the wall times that have passed, for a wildcard schedule
    /// all instants up to now.
    func reread(_ changes: [ZoneDatabase.Change], _ onRecord: Set<JobID>, at now: Instant) {
        // The due times up to now are those of the old rules.
        takeDue(onRecord, at: now)
        derived.calendars.forget()
        reread(because: "its new time zone", at: now) { schedule in
            // The times of calendars may be in any zone.
            !schedule.calendarNames.isEmpty || changes.contains { $0.old === schedule.zone || $0.old === schedule.recurrence.zone }
        }
    }

    /// Reads the definitions in force again. `isStart` means that nobody has handled due times since an earlier daemon ended.
    func reread(because reason: String, at now: Instant, isStart: Bool = false, _ isRead: (ScheduleDefinition) -> Bool) {
        for name in tasks.keys.sorted() {
            if let old = tasks[name]?.definition(ifAny: isRead) {
                do throws(Problems) {
                    var new = try TaskDefinition(name: name, source: old.source, context(old.writtenAt))
                    (new.crontab, new.mounted) = (old.crontab, old.mounted)
                    for (before, after) in zip(old.schedules, new.schedules) where isRead(before) {
                        carryOver(before, to: after, of: name, isStart: isStart, at: now)
                    }
                    define(new, since: now, at: now)
                } catch {
                    turn.refusals.append(Turn.Refusal(file: "tasks/\(name)", why: "cannot be read with \(reason): \(error)"))
                }
            }
            for state in tasks[name].map({ Array($0.schedules) }) ?? [] where state.isFile {
                guard let before = state.definition, isRead(before), let known = definition(of: "schedules/\(state.id)")
                else { continue }
                do throws(Problems) {
                    let after = try ScheduleDefinition.file(id: state.id, source: known.source, context(known.writtenAt)).schedule
                    carryOver(before, to: after, of: name, isStart: isStart, at: now)
                    define(task: name, after, known.source, writtenAt: known.writtenAt, since: now, at: now)
                } catch {
                    turn.refusals.append(
                        Turn.Refusal(file: "schedules/\(state.id)", why: "cannot be read with \(reason): \(error)"))
                }
            }
        }
    }

    /// Keeps the handled times of a schedule that is read with new rules. The schedule's id may change: the id of an `at` depends
    /// on its instant, and every id on the name of the zone, which `local` may have changed.
    private func carryOver(
        _ before: ScheduleDefinition, to after: ScheduleDefinition, of task: String, isStart: Bool, at now: Instant
    ) {
        guard let state = tasks[task]?.schedule(before.id) else { return }
        var accounted = state.accounted
        var open: [Instant] = []
        if let old = before.once, let new = after.once, old != new || before.calendarNames.isEmpty {
            // It has occurred and does not occur again. Or it has not occurred, and will, even if it is in the past by now.
            accounted = old <= accounted ? max(accounted, new) : min(accounted, new.advanced(byMilliseconds: -1))
            open = state.open(at: accounted)
        } else {
            if !before.calendarNames.isEmpty {
                // Nothing was handled while the schedule waited for a calendar that nobody knew.
                if before.unknownCalendars.isEmpty { accounted = max(accounted, isStart ? handledBeforeStart(state, at: now) : now) }
                open = state.open(at: accounted)
            }
            if after.recurrence.isFixed, let old = before.recurrence.zone, let new = after.recurrence.zone {
                if old !== new {
                    // All times keep their wall time.
                    let moved = { (instant: Instant) in
                        new.resolve(wall: instant.advanced(byMilliseconds: Int64(old.offsetSeconds(at: instant)) * 1000)).first
                    }
                    accounted = max(state.accounted, moved(accounted))
                    open = Set(open.map(moved)).filter { $0 > accounted }.sorted()
                }
            } else if after.recurrence.zone != nil, before.calendarNames.isEmpty {
                accounted = max(accounted, now)
            }
        }
        // The schedule is known and has no other id, so its new text is not an edit.
        state.definition = nil
        if before.id != after.id { commit(.unscheduled(task: task, schedule: before.id), at: now) }
        if before.id != after.id || accounted != state.accounted {
            commit(
                .scheduled(
                    task: task, schedule: after.id, accounted: accounted, origin: state.origin, lastEnd: state.lastEnd),
                at: now)
        }
        if !before.calendarNames.isEmpty { settle(task, after, SettledDues(through: accounted, open: open), at: now) }
    }

    /// The time up to which an earlier daemon decided the due times of a schedule, by calendars that have changed since. What the daemon
    /// left out does not run now. Its first due time that was not handled, before a crash or while the daemon ended, still counts.
    private func handledBeforeStart(_ state: ScheduleState, at now: Instant) -> Instant {
        let ended = min(lastRestored ?? state.accounted, now)
        guard let due = state.computeNext(), due <= ended else { return ended }
        return due.advanced(byMilliseconds: -1)
    }
}
