import Glibc
import Linux
import Store

/// One call of spoolctl: its arguments, its spool, and its standard output and error.
final class Session {
    let arguments: Arguments
    let command: SpoolCommand
    let output: Output
    let errors: Output
    private let located: Result<String, Failure>
    /// The user whose part of a shared spool this session works on; nil for a whole spool.
    let owner: User?
    /// Set while this process, which is root's, acts as the owner.
    var acting: Credentials.Acting?
    let now = Instant(milliseconds: Clock.now())
    let zones = ZoneDatabase()
    private var configured: Configuration?
    /// Set when the caller's zone was first needed; see ``callerZone``.
    var callerZoneFound: Zone?
    /// The submitted job that this command waits for.
    var awaited: AwaitedJob?
    /// The configuration that the spool's daemon, or the last one, published.
    private lazy var published = readPublished()

    /// - Parameter preferred: the spool, unless the call or `SPOOL_DIR` names one.
    init(_ command: SpoolCommand, _ arguments: Arguments, output: Output, errors: Output, preferred: String? = nil) {
        self.command = command
        self.arguments = arguments
        self.output = output
        self.errors = errors
        let named = arguments.value("spool") ?? (environment("SPOOL_DIR") == nil ? preferred : nil)
        (located, owner) = EverybodysSpool.partOfCaller(Self.locateSpool(named))
    }

    /// The same call on another user's part of the spool.
    init(_ session: Session, of user: User, at path: String, _ arguments: Arguments? = nil) {
        command = session.command
        self.arguments = arguments ?? session.arguments
        output = session.output
        errors = session.errors
        located = .success(path)
        owner = user
    }

    /// The same call with other arguments, on the same part of the spool.
    init(_ session: Session, _ arguments: Arguments) {
        command = session.command
        self.arguments = arguments
        output = session.output
        errors = session.errors
        located = session.located
        owner = session.owner
    }

    /// The spool's path. Empty when no spool could be located; opening it then reports why.
    var spoolPath: String { if case .success(let path) = located { path } else { "" } }

    var isJSON: Bool { arguments.flag("json") }
    var isQuiet: Bool { arguments.flag("quiet") }

    func complain(_ line: String) {
        output.flush()
        errors.line("spoolctl: \(Output.oneLine(line))")
        errors.flush()
    }

    // MARK: The spool

    /// Root's spool, unless another one is named.
    static let rootsSpool = "/var/spool/spoold"

    /// True for the spool that a user has without naming one.
    var isUsersOwnSpool: Bool {
        owner == nil && Reader.user != 0 && arguments.value("spool") == nil && environment("SPOOL_DIR") == nil
    }

    private static func locateSpool(_ given: String?) -> Result<String, Failure> {
        let path: String
        if let given {
            path = given
        } else if let named = environment("SPOOL_DIR") {
            path = named
        } else if Reader.user == 0 {
            path = rootsSpool
        } else if let state = environment("XDG_STATE_HOME") {
            path = "\(state)/spoold"
        } else if let home = homeDirectory() {
            path = "\(home)/.local/state/spoold"
        } else {
            return .failure(.usage("no spool is given: set --spool, SPOOL_DIR or HOME"))
        }
        guard !path.isEmpty else { return .failure(.usage("--spool needs a directory")) }
        do throws(Failure) {
            let path = try absolute(path, "the spool")
            // spoold refuses such a path as well.
            guard FileName.isUTF8(path) else { return .failure(.usage("the spool's path is not UTF-8; rename the directory")) }
            return .success(path)
        } catch {
            return .failure(error)
        }
    }

    /// Opens the spool for reading. A missing spool is an error: otherwise a mistyped path would be reported as an empty spool.
    func openSpool(ofAnyFormat: Bool = false) throws(Failure) -> DiskFileSystem {
        let fs: DiskFileSystem
        let spoolPath = try located.get()
        do throws(SystemError) { fs = try DiskFileSystem(path: spoolPath) } catch {
            if error.errno == SystemError.noSuchFile, let owner {
                try EverybodysSpool.refuseDenied(owner, UserPart.spool(ofPart: spoolPath, of: owner.name))
                throw Failure(ExitCode.failed, "\(owner.name) has nothing in this spool yet; spoolctl submit creates their directories")
            }
            if error.errno == SystemError.noSuchFile {
                throw Failure(
                    ExitCode.failed,
                    ["there is no spool at \(spoolPath); spoold and spoolctl submit create one"] + (rootsSpoolRemark.map { [$0] } ?? []))
            }
            throw Failure(error)
        }
        reportChanges(of: fs)
        if ofAnyFormat { return fs }
        let format = try attempt { () throws(SystemError) in try fs.take(Layout.format, limit: 4096, ignoringWriters: true) }
        // `prepare` refuses another format with its message.
        if case .file(_, let bytes) = format, !bytes.isEmpty, bytes != Array(Layout.formatText.utf8) { try prepare(fs) }
        return fs
    }

    /// Opens the spool for writing, and creates it when it is missing.
    func openSpoolForWriting() throws(Failure) -> DiskFileSystem {
        let path = try located.get()
        if let owner { try EverybodysSpool.claim(path, owner) }
        let fs = try attempt { () throws(SystemError) -> DiskFileSystem in
            do throws(SystemError) { return try DiskFileSystem(path: path) } catch {
                guard error.errno == SystemError.noSuchFile else { throw error }
            }
            try makeDirectories(path)
            return try DiskFileSystem(path: path)
        }
        try prepare(fs)
        reportChanges(of: fs)
        return fs
    }

    private func prepare(_ fs: DiskFileSystem) throws(Failure) {
        do throws(SpoolError) { try Spool.prepare(fs) } catch {
            switch error {
            case .format, .noSpool: throw Failure(ExitCode.failed, "\(spoolPath): \(error)")
            case .system(let error): throw Failure(error)
            }
        }
    }

    /// The daemon that serves the spool now; nil when none does.
    func daemon() throws(Failure) -> SpoolLock.Holder? {
        let path = try located.get()
        if let holder = try attempt({ () throws(SystemError) in try SpoolLock.holder(spool: path) }) { return holder }
        return owner == nil ? nil : try servesAtRest()
    }

    /// Root's daemon, while it serves this user's part without a process of the user, because nothing is due there.
    private func servesAtRest() throws(Failure) -> SpoolLock.Holder? {
        guard isThere, let table = try daemonTable(), table.text("state") == "resting",
            let pid = table.whole("pid").flatMap({ pid_t(exactly: $0) }), pid > 1, kill(pid, 0) == 0 || errno == EPERM
        else { return nil }
        // With hidden processes (hidepid) the start time cannot be read, and the number alone is compared.
        if let began = table.whole("pid_start_time"), let now = try? Process.startTime(pid), Int64(clamping: now) != began { return nil }
        return SpoolLock.Holder(pid: pid, host: table.text("host") ?? "?")
    }

    /// access(2) would ask for the rights of the real user, who may have fewer.
    private var isThere: Bool { (try? FileStatus.read(spoolPath, followingLinks: true)) != nil }  // a reason changes nothing

    // MARK: Reading

    /// The configuration file that the spool's daemon reads, or read last. When unknown, the file that a daemon would look for.
    var configurationPath: String? {
        if let given = arguments.value("config") { return given }
        if !isOfAnother, let file = published?.configuration.file, FileName.isAccessible(file) { return file }
        if Reader.user == 0 || owner != nil { return "/etc/spoold/spoold.toml" }
        if let config = environment("XDG_CONFIG_HOME") { return "\(config)/spoold/spoold.toml" }
        return homeDirectory().map { "\($0)/.config/spoold/spoold.toml" }
    }

    /// The configuration that the spool's daemon uses. Without a daemon, or with `--config`, the content of the file; without a file, the
    /// defaults.
    func configuration() throws(Failure) -> Configuration {
        if let configured { return configured }
        if let published, published.isInForce || isOfAnother, !isOtherNamed(than: published.configuration) {
            if var configuration = try? published.configuration.configuration(zones) {  // with an unknown zone, the file is read below
                readCalendars(&configuration)
                configured = configuration
                return configuration
            }
        }
        var configuration = try fileConfiguration()
        readCalendars(&configuration)
        configured = configuration
        if let published, published.isInForce, published.configuration.zoneName != configuration.zone.name {
            let file = configurationPath ?? "the configuration"
            complain("the daemon uses timezone \(published.configuration.zoneName), but \(file) says \(configuration.zone.name)")
        }
        return configuration
    }

    /// The configuration as its files say, without its calendars.
    func fileConfiguration() throws(Failure) -> Configuration {
        var configuration = Configuration()
        guard let path = configurationPath else { return configuration }
        for file in [Configuration.defaultsPath(for: path), path] {
            guard let bytes = try configurationBytes(file, isNamed: file == path && arguments.value("config") != nil) else { continue }
            do throws(Problems) { configuration = try Configuration(bytes, over: configuration, zones: zones, now: now) } catch {
                throw Failure(file: file, error)
            }
        }
        return configuration
    }

    /// True while root reads a spool or part of another user: root follows no path that the user has published.
    private var isOfAnother: Bool {
        // In the place of root nobody else checks what the user may read.
        guard Reader.user == 0 || Reader.isInPlaceOfRoot else { return false }
        if owner != nil { return true }
        // A spool that is missing is reported when it is opened.
        return (try? FileStatus.read(spoolPath, followingLinks: true)).map { $0.owner != 0 } ?? false
    }

    /// Reads the files of the calendars. In place of one that cannot be read, the last form counts that the daemon accepted. Without that,
    /// the calendar is reported where a schedule names it.
    func readCalendars(_ configuration: inout Configuration) {
        configuration.readCalendars(zones) { path throws(RecurrenceError) in
            if isOfAnother { throw RecurrenceError("root does not read a file that another user names") }
            do throws(SystemError) {
                return try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK).readAll(limit: Calendars.fileBytesMax)
            } catch {
                throw RecurrenceError("\(error)")
            }
        }
        guard !configuration.calendars.problems.isEmpty else { return }
        configuration.calendars = configuration.calendars.filled(from: keptCalendars())
    }

    /// The calendars that the spool's journal keeps. None when it cannot be read, which the commands that need it report.
    func keptCalendars() -> [String: NamedTimes] {
        guard case .success = located, let fs = try? DiskFileSystem(path: spoolPath) else { return [:] }  // as above
        return (try? Spool(fs, host: "").keptCalendars(zones)) ?? [:]  // as above
    }

    /// True when `--config` names another file than the daemon's.
    private func isOtherNamed(than published: PublishedConfiguration) -> Bool {
        guard let given = arguments.value("config") else { return false }
        return published.file.map { !Self.isSameFile(given, $0) } ?? true
    }

    /// True when two paths lead to one file that exists.
    private static func isSameFile(_ a: String, _ b: String) -> Bool {
        if a == b { return true }
        // A file that cannot be asked about is not the other one.
        let files = [a, b].map { try? FileStatus.read($0, followingLinks: true) }
        guard let first = files[0], let second = files[1] else { return false }
        return first.inode == second.inode && first.device == second.device
    }

    /// Reads the configuration again the next time it is asked for.
    func forgetConfiguration() {
        configured = nil
        published = readPublished()
    }

    /// The configuration that a daemon published. Nil without a spool, or when no daemon has published one: then the file counts.
    private func readPublished() -> (configuration: PublishedConfiguration, isInForce: Bool)? {
        guard case .success = located, let fs = try? DiskFileSystem(path: spoolPath),  // without a readable spool nothing is published
            let table = try? daemonTable(fs), let published = PublishedConfiguration(table)  // a damaged status file publishes nothing
        else { return nil }
        let holder: SpoolLock.Holder?
        // Commands that need the daemon ask again, and report the error.
        do throws(Failure) { holder = try daemon() } catch { holder = nil }
        // Another process's published configuration is not in force in this daemon.
        return (published, holder != nil && table.whole("pid") == holder.map { Int64($0.pid) })
    }

    /// The content of a configuration file; nil when it does not exist and nobody has named it.
    private func configurationBytes(_ path: String, isNamed: Bool) throws(Failure) -> [UInt8]? {
        do throws(SystemError) {
            return try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK).readAll(limit: Source.bytesMax)
        } catch {
            if error.errno == SystemError.noSuchFile, !isNamed { return nil }
            throw Failure(error)
        }
    }

    /// The context in which definitions are read: wall times without a zone are in the configured zone.
    func context() throws(Failure) -> ReadingContext {
        let configuration = try configuration()
        var context = ReadingContext(
            now: now, zones: zones, zone: configuration.zone, owner: .current, filesMax: DescriptorLimit.kernelMax,
            calendars: configuration.calendars)
        context.taskDefaults = configuration.taskDefaults
        return context
    }

    /// The same for commands that must work although the configuration cannot be read: wall times are then in UTC.
    func contextInAnyCase() -> ReadingContext {
        let configuration = (try? configuration()) ?? Configuration()  // commands that need the configuration itself report the error
        return ReadingContext(
            now: now, zones: zones, zone: configuration.zone, owner: .current, filesMax: DescriptorLimit.kernelMax,
            calendars: configuration.calendars)
    }

    /// A duration given on the command line, in milliseconds.
    func milliseconds(_ text: String, option: String) throws(Failure) -> Int64 {
        do throws(RecurrenceError) {
            if let seconds = Double(text) { return try Span(seconds: seconds).approximateMilliseconds }
            return try Span.parse(text).approximateMilliseconds
        } catch {
            throw .invalid("\(arguments.spelling(of: option)): \(error)")
        }
    }

    /// A whole number given on the command line.
    func count(_ option: String, default standard: Int) throws(Failure) -> Int {
        guard let text = arguments.value(option) else { return standard }
        guard let number = Int(text), number >= 0 else {
            throw .usage("\(arguments.spelling(of: option)) needs a whole number, not \"\(text)\"")
        }
        return number
    }

    /// The one operand of a command; `what` names it in the message when it is missing.
    func operand(_ what: String) throws(Failure) -> String {
        guard arguments.operands.count == 1 else {
            throw .usage(
                arguments.operands.isEmpty
                    ? "\(command.name) needs \(what); see spoolctl \(command.name) --help"
                    : "\(command.name) takes only \(what); remove \"\(arguments.operands[1])\"")
        }
        return arguments.operands[0]
    }

    func operands(_ what: String) throws(Failure) -> [String] {
        guard !arguments.operands.isEmpty else {
            throw .usage("\(command.name) needs \(what); see spoolctl \(command.name) --help")
        }
        return arguments.operands
    }

    func noOperands() throws(Failure) {
        if let first = arguments.operands.first { throw .usage("\(command.name) takes no operands; remove \"\(first)\"") }
    }
}
