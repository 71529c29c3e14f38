import Glibc
import Linux
import Scheduler
import Store

/// The configuration in force, and the files that it is read from, which are watched: the configuration file, and `defaults.toml` beside
/// it.
///
/// Invariant: a configuration that cannot be used is refused and reported, and the previous one stays in force. The file of a calendar that
/// cannot be used is reported alone: the rest of the configuration counts, and the scheduler keeps the calendar's last form.
final class ConfigurationFile: Part, FileWatcher {
    private static let kept = "the last configuration that was accepted, or the defaults"
    private static let keptCalendar = "the last form of this calendar that was accepted, if there is one"
    /// The maximum number of attempts to find the names that lead to the file while somebody changes them.
    private static let roundsMax = 8
    /// The time between two readings of a file that is being written.
    private static let unreadyMilliseconds: Int64 = 500

    private(set) var inForce = Configuration()
    /// The path of the file. Nil when spoold was started without one: the defaults are in force.
    let path: String?
    /// The time at which the file is read again, because somebody was writing it. Nil when it is not.
    private var lookAt: MonotonicInstant?
    /// The time at which the configuration in force was read. Nil when there was no file: the defaults are in force.
    private var readAt: Instant?
    /// The reasons why the last reading was refused. Empty when it was accepted.
    private var problems: [String] = []
    /// The texts of the configuration in force.
    private var texts = Texts()

    /// The texts of the two files. Nil for a file that is not there.
    private struct Texts: Equatable {
        var own: [UInt8]?
        var defaults: [UInt8]?
    }

    /// The files of the calendars that the last reading named, whether it was accepted or refused.
    private var calendarFiles: [String] = []
    /// The calendars that were reported because they cannot be used.
    private var reportedCalendars: [String] = []
    private var watched = WatchedNames()
    private let zones: ZoneDatabase
    private let files: FileWatches
    private let service: SpoolService
    private let log: Log

    /// Called when another configuration is in force.
    var onChange: (Configuration) -> Void = { _ in }
    /// Called after `onChange` when other calendars are in force, except for the first configuration.
    var onCalendars: () -> Void = {}
    /// Called after `onChange`, except for the first configuration.
    var onReload: () -> Void = {}
    /// Called when a configuration was accepted or refused, so that `state/status.json` is written at once.
    var onNews: () -> Void = {}

    init(path: String?, _ zones: ZoneDatabase, _ files: FileWatches, _ service: SpoolService, _ log: Log) {
        self.path = path
        self.zones = zones
        self.files = files
        self.service = service
        self.log = log
    }

    var wakeAt: Wake { Wake(monotonic: lookAt) }
    var isIdle: Bool { lookAt == nil }

    /// True while the files cannot be used.
    var isRefused: Bool { !problems.isEmpty }

    /// Replaces the configured time zone by one of the same name with other rules.
    func replaceZone(by zone: Zone) { inForce.zone = zone }

    /// The configuration as `state/status.json` publishes it.
    var published: PublishedConfiguration { PublishedConfiguration(inForce, file: path, readAt: readAt, problems: problems) }

    // MARK: Reading

    func take(_ events: [InotifyEvent]) {
        let own = events.filter(watched.concerns)
        guard !own.isEmpty else { return }
        load(isChanged: own.contains { !$0.mask.isDisjoint(with: [.closedAfterWriting, .movedTo]) })
    }

    func lookAnew() { load(isChanged: false) }
    func mountsChanged() { load(isChanged: false) }

    func beforeTurn() { if let lookAt, .now() >= lookAt { load() } }

    /// Reads the configuration. When `isChanged` is false, the same text as before does not count as a new configuration.
    func load(isFirst: Bool = false, isChanged: Bool = true) {
        guard let path else { return }
        var names: Set<WatchedNames.Name>
        var rounds = 0
        repeat {
            rounds += 1
            // The names are watched before the files are read, so that no change is missed between the two.
            names = self.names(path)
            watched.replace(by: names, in: files, for: self) { [log, service] name, error in
                log.write(.warning, "not-watched", at: service.now, ["file": "\(name.directory)/\(name.name)", "error": "\(error)"])
            }
            // A second round finds new texts only where they differ.
            read(path, isFirst: isFirst, isChanged: isChanged && rounds == 1)
        } while rounds < Self.roundsMax && self.names(path) != names
    }

    /// The names that decide on the texts of the configuration and of its calendars.
    private func names(_ path: String) -> Set<WatchedNames.Name> {
        let others = [Configuration.defaultsPath(for: path)] + inForce.calendars.files + calendarFiles
        return others.reduce(WatchedNames.names(decidingOn: path)) { names, file in
            names.union(WatchedNames.names(decidingOn: file))
        }
    }

    private func read(_ path: String, isFirst: Bool, isChanged: Bool) {
        lookAt = nil
        do throws(SystemError) {
            let texts = Texts(
                own: try text(path, isFirst: isFirst), defaults: try text(Configuration.defaultsPath(for: path), isFirst: isFirst))
            if lookAt == nil || isFirst { accept(texts, path, isFirst: isFirst, isChanged: isChanged) }
        } catch {
            refuse(["\(error)"], path)
        }
    }

    /// Reads a file. Returns nil when it is not there, and while somebody is writing it: it is read again at `lookAt`.
    private func text(_ path: String, isFirst: Bool) throws(SystemError) -> [UInt8]? {
        do throws(SystemError) {
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK)
            // Half a file can be a valid configuration with another meaning. At the start it is read all the same, because there is no
            // earlier configuration to keep.
            if !file.excludeWriters() {
                lookAt = .now().advanced(byMilliseconds: Self.unreadyMilliseconds)
                if !isFirst { return nil }
            }
            return try file.readAll(limit: Source.bytesMax)
        } catch {
            guard error.isMissing else { throw error }
            return nil
        }
    }

    private func accept(_ texts: Texts, _ path: String, isFirst: Bool, isChanged: Bool) {
        if !isChanged, problems.isEmpty, self.texts == texts, inForce.calendars.isEmpty { return }
        let now = service.now
        var reading = path
        do throws(Problems) {
            var new = Configuration()
            for (file, text) in [(Configuration.defaultsPath(for: path), texts.defaults), (path, texts.own)] {
                reading = file
                if let text { new = try Configuration(text, over: new, zones: zones, now: now) }
            }
            new.readCalendars(zones) { path throws(RecurrenceError) in try Self.calendar(path) }
            calendarFiles = new.calendars.files
            if !isChanged, problems.isEmpty, self.texts == texts, new.calendars.isSame(as: inForce.calendars) { return }
            let wasThere = readAt != nil
            self.texts = texts
            readAt = texts == Texts() ? nil : now
            problems = []
            service.problems[path] = nil
            reportCalendars(of: new, path)
            let haveCalendarsChanged = !isFirst && !new.calendars.isSame(as: inForce.calendars)
            inForce = new
            onChange(new)
            if haveCalendarsChanged { onCalendars() }
            service.isPublishDue = true
            onNews()
            guard !isFirst, readAt != nil || wasThere else { return }
            onReload()
            log.write(.notice, "configured", at: now, ["file": path])
        } catch {
            refuse(error.all.map { "\(reading):\($0)" }, path)
            // There is no earlier configuration to keep.
            if isFirst { takeDefaults(texts, at: now) }
        }
    }

    /// Puts the defaults alone in force, as far as they can be read.
    private func takeDefaults(_ texts: Texts, at now: Instant) {
        guard let text = texts.defaults, let defaults = try? Configuration(text, zones: zones, now: now) else { return }  // reported
        inForce = defaults
        onChange(defaults)
    }

    /// Reports each calendar that cannot be used, by itself.
    private func reportCalendars(of new: Configuration, _ path: String) {
        let unusable = new.calendars.problems
        for name in reportedCalendars where !unusable.contains(where: { $0.name == name }) { service.problems["calendars/\(name)"] = nil }
        reportedCalendars = unusable.map(\.name)
        for (name, why) in unusable {
            service.report(problem: ["\(path): calendars.\(name): \(why)"], of: "calendars/\(name)", inForce: Self.keptCalendar)
        }
    }

    /// The text of an iCalendar file.
    private static func calendar(_ path: String) throws(RecurrenceError) -> [UInt8] {
        do throws(SystemError) {
            return try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK).readAll(limit: Calendars.fileBytesMax)
        } catch {
            throw RecurrenceError("\(error)")
        }
    }

    private func refuse(_ problems: [String], _ path: String) {
        self.problems = problems
        service.report(problem: problems, of: path, inForce: Self.kept)
        service.isPublishDue = true
        onNews()
    }
}
