import Glibc
import Linux

/// One run of the program: its measures, their places and the report.
final class Suite {
    let options: Options
    let programs: Programs
    let system: System
    let places: [Place]
    /// The directory for the daemons' logs. It is in memory if possible, because the logs are no part of the spool.
    let logs: String
    var report = Report()

    /// Takes the measures and returns the exit code.
    static func run(_ options: Options) -> Int32 {
        let programs: Programs
        do { programs = try Programs() } catch {
            complain("\(say(error)); build them first: swift build -c release")
            return 2
        }
        do {
            let suite = try Suite(options, programs)
            let code = suite.measure()
            for place in suite.places { try place.remove() }
            return code
        } catch {
            complain(say(error))
            return 1
        }
    }

    private init(_ options: Options, _ programs: Programs) throws {
        self.options = options
        self.programs = programs
        system = try System()
        places = try Place.all(options)
        guard let first = places.first else {
            throw Trouble.unavailable("neither /dev/shm nor $TMPDIR or /var/tmp is a place for spools; give --directory")
        }
        logs = try first.fresh("logs")
    }

    private func measure() -> Int32 {
        describeMachine()
        report.header()
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
            if options.wants(.records) { try take("records, \(places[0].name)") { try measureRecords($0, on: places[0]) } }
            if options.wants(.calls) { try take("calls, daemon") { try measureCalls($0, on: places[0]) } }
            if options.wants(.recurrence) { try take("recurrence") { try measureRecurrence($0) } }
            if options.wants(.idle) { try take("idle, \(last.name)") { try measureIdle($0, on: last) } }
        } catch {
            complain(Self.say(error))
            return 130
        }
        if report.failed > 0 || options.isCheck && report.missed > 0 { return 1 }
        return 0
    }

    /// Takes one measure, which adds its own rows. Throws only when the program is interrupted.
    private func take(_ name: String, _ body: (String) throws -> Void) throws {
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
        print("\(processors) processors, load \(decimal(load)); spools in \(places.map(\.path).joined(separator: ", "))")
        if load > 0.5 { print("Others are at work on this machine: ratios are rough, times and rates are noise.") }
        #if DEBUG
            print("This is a debug build: no figure but those of calls means anything.")
        #endif
        if options.isSmoke { print("A smoke run: the numbers are too small for figures to mean much.") }
        print()
    }
}
