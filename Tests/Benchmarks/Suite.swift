import Glibc
import Linux

/// One run of the program: its measures, their places and the report.
final class Suite {
    let options: Options
    /// The programs that are being measured.
    private(set) var programs: Programs
    private let ownPrograms: Programs
    /// The programs that are measured in turn with these.
    private let otherPrograms: Programs?
    let system: System
    let places: [Place]
    /// The directory for the daemons' logs. It is in memory if possible, because the logs are no part of the spool.
    let logs: String
    var report: Report

    /// The names of the two kinds of programs in the table.
    static let these = "now"
    static let other = "before"

    /// Takes the measures and returns the exit code.
    static func run(_ options: Options) -> Int32 {
        let programs: Programs
        let other: (programs: Programs, build: BuiltCommit?)?
        do {
            programs = try Programs()
            other = try options.against.map { try Programs.other($0) }
        } catch {
            complain("\(say(error))")
            return 2
        }
        do {
            defer { try? other?.build?.remove() }  // what is left below the directory for temporary files harms nothing
            let suite = try Suite(options, programs, other?.programs)
            let code = suite.measure()
            for place in suite.places { try place.remove() }
            return code
        } catch {
            complain(say(error))
            return 1
        }
    }

    private init(_ options: Options, _ programs: Programs, _ other: Programs?) throws {
        self.options = options
        report = Report(isJSON: options.isJSON)
        system = try System()
        places = try Place.all(options)
        guard let first = places.first, let last = places.last else {
            throw Trouble.unavailable("neither /dev/shm nor $TMPDIR or /var/tmp is a place for spools; give --directory")
        }
        logs = try first.fresh("logs")
        ownPrograms = try programs.copied(to: try last.fresh("programs"))
        otherPrograms = try other?.copied(to: try last.fresh("programs"))
        self.programs = ownPrograms
    }

    private func measure() -> Int32 {
        describeMachine()
        do {
            for place in places {
                if options.wants(.drain) { try take("drain, \(place.name)") { try measureDrain($0, on: place) } }
                if options.wants(.peers) { try take("peers, \(place.name)") { try measurePeers($0, on: place) } }
                if options.wants(.latency) { try take("latency, \(place.name)") { try measureLatency($0, on: place) } }
                if options.wants(.submit) { try take("submit, \(place.name)") { try measureSubmit($0, on: place) } }
            }
            // The disk matters little to these measures, or only by its syncs, so one place is enough.
            let last = places[places.count - 1]
            if options.wants(.punctuality) {
                try take("punctuality, \(last.name)") { try measurePunctuality($0, on: last) }
            }
            if options.wants(.page) { try take("page, \(last.name)") { try measurePage($0, on: last) } }
            if options.wants(.records) { try take("records, \(places[0].name)") { try measureRecords($0, on: places[0]) } }
            if options.wants(.flood) { try take("flood, \(places[0].name)") { try measureFlood($0, on: places[0]) } }
            if options.wants(.tasks) { try take("tasks, \(places[0].name)") { try measureTasks($0, on: places[0]) } }
            if options.wants(.crontabs) { try take("crontabs, \(places[0].name)") { try measureCrontabs($0, on: places[0]) } }
            if options.wants(.steady) { try take("steady, \(last.name)") { try measureSteady($0, on: last) } }
            if options.wants(.paths) { try take("paths, \(places[0].name)") { try measurePaths($0, on: places[0]) } }
            if options.wants(.calls) { try take("calls, daemon") { try measureCalls($0, on: places[0]) } }
            if options.wants(.recurrence) { try take("recurrence") { try measureRecurrence($0) } }
            if options.wants(.executors) { try take("executors") { try measureRemoteScale($0) } }
            if options.wants(.slurm) { try take("slurm, \(last.name)") { try measureSlurm($0, on: last) } }
            if options.wants(.idle) { try take("idle, \(last.name)") { try measureIdle($0, on: last) } }
        } catch {
            complain(Self.say(error))
            return 130
        }
        if report.failed > 0 || options.isCheck && report.missed > 0 { return 1 }
        return 0
    }

    /// Takes one measure, which adds its own rows; with other programs, the measure of those first. Throws only when the program is
    /// interrupted.
    private func take(_ name: String, _ body: (String) throws -> Void) throws {
        guard let otherPrograms else { return try takeOnce(name, body) }
        for (whose, measured) in [(Self.other, otherPrograms), (Self.these, ownPrograms)] {
            (report.whose, programs) = (whose, measured)
            try takeOnce(name, body)
        }
        report.compare()
    }

    private func takeOnce(_ name: String, _ body: (String) throws -> Void) throws {
        do {
            try body(name)
        } catch Trouble.interrupted {
            try system.awaitAll()
            throw Trouble.interrupted
        } catch Trouble.unavailable(let reason) {
            report.skip(name, reason)
        } catch {
            report.fail(name, Self.say(error))
        }
        do { try system.awaitAll() } catch { report.fail(name, Self.say(error)) }
    }

    private static func say(_ error: any Error) -> String {
        switch error {
        case Trouble.interrupted: "interrupted"
        case Trouble.unavailable(let reason), Trouble.failed(let reason): reason
        default: "\(error)"
        }
    }

    private func describeMachine() {
        var load = 0.0
        _ = getloadavg(&load, 1)
        let processors = sysconf(Int32(_SC_NPROCESSORS_ONLN))
        var lines = ["\(processors) processors, load \(decimal(load)); spools in \(places.map(\.path).joined(separator: ", "))"]
        if load > 0.5 { lines.append("Others are at work on this machine: ratios are rough, times and rates are noise.") }
        #if DEBUG
            lines.append("This is a debug build: no figure but those of calls means anything.")
        #endif
        if let scale = options.scale { lines.append("The numbers of jobs and tasks that grow are \(scale).") }
        if options.isSmoke { lines.append("A smoke run: the numbers are too small for figures to mean much.") }
        if let against = options.against { lines.append("[\(Self.other)] is \(against), [\(Self.these)] is this build.") }
        report.begin(lines, scale: options.scale)
    }
}
