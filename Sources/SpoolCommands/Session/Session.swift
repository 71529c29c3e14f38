import Glibc
import Linux
import Store

/// One call of spoolctl: its arguments, the spool it is about, and where it prints.
final class Session {
    let arguments: Arguments
    let command: SpoolCommand
    let output: Output
    let errors: Output
    private let located: Result<String, Failure>
    /// Whose part of everybody's spool it is about, where that is not all of it.
    let owner: User?
    /// This process is root's and acts as the owner.
    var acting: Credentials.Acting?
    let now = Instant(milliseconds: Clock.now())
    let zones = ZoneDatabase()
    private var configured: Configuration?
    /// The job that was submitted to be waited for.
    var awaited: AwaitedJob?
    /// What the daemon that serves the spool, or the last one, has published of its configuration.
    private lazy var published = readPublished()

    init(_ command: SpoolCommand, _ arguments: Arguments, output: Output, errors: Output) {
        self.command = command
        self.arguments = arguments
        self.output = output
        self.errors = errors
        (located, owner) = EverybodysSpool.partOfCaller(Self.locateSpool(arguments.value("spool")))
    }

    /// The same question, about the part of another user.
    init(_ session: Session, of user: User, at path: String, _ arguments: Arguments? = nil) {
        command = session.command
        self.arguments = arguments ?? session.arguments
        output = session.output
        errors = session.errors
        located = .success(path)
        owner = user
    }

    /// Empty where nothing says which it is; a command that needs one is told so when it opens it.
    var spoolPath: String { if case .success(let path) = located { path } else { "" } }

    var isJSON: Bool { arguments.flag("json") }
    var isQuiet: Bool { arguments.flag("quiet") }

    func complain(_ line: String) {
        output.flush()
        errors.line("spoolctl: \(Output.oneLine(line))")
        errors.flush()
    }

    // MARK: The spool

    private static func locateSpool(_ given: String?) -> Result<String, Failure> {
        let path: String
        if let given {
            path = given
        } else if let named = environment("SPOOL_DIR") {
            path = named
        } else if geteuid() == 0 {
            path = "/var/spool/spoold"
        } else if let state = environment("XDG_STATE_HOME") {
            path = "\(state)/spoold"
        } else if let home = homeDirectory() {
            path = "\(home)/.local/state/spoold"
        } else {
            return .failure(.usage("where is the spool? Neither --spool, SPOOL_DIR nor HOME says"))
        }
        guard !path.isEmpty else { return .failure(.usage("--spool needs a directory")) }
        do throws(Failure) {
            let path = try absolute(path, "the spool")
            // As spoold refuses it.
            guard FileName.isUTF8(path) else { return .failure(.usage("the spool's path is not UTF-8; give the directory another name")) }
            return .success(path)
        } catch {
            return .failure(error)
        }
    }

    /// The spool for reading. Its absence is an error, for a reader would otherwise report an empty one for a wrong path.
    func openSpool(ofAnyFormat: Bool = false) throws(Failure) -> DiskFileSystem {
        let fs: DiskFileSystem
        let spoolPath = try located.get()
        do throws(SystemError) { fs = try DiskFileSystem(path: spoolPath) } catch {
            if error.errno == SystemError.noSuchFile, let owner {
                try EverybodysSpool.refuseDenied(owner, UserPart.spool(ofPart: spoolPath, of: owner.name))
                throw Failure(ExitCode.failed, "\(owner.name) has nothing in this spool yet; spoolctl submit makes what is needed")
            }
            if error.errno == SystemError.noSuchFile {
                throw Failure(ExitCode.failed, "there is no spool at \(spoolPath); spoold makes one, or spoolctl submit")
            }
            throw Failure(error)
        }
        if ofAnyFormat { return fs }
        let format = try attempt { () throws(SystemError) in try fs.take(Layout.format, limit: 4096, ignoringWriters: true) }
        // Another format is refused by the one that knows how to say so.
        if case .file(_, let bytes) = format, !bytes.isEmpty, bytes != Array(Layout.formatText.utf8) { try prepare(fs) }
        return fs
    }

    /// The spool for writing, made when it is missing.
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

    /// The daemon that serves the spool now.
    func daemon() throws(Failure) -> SpoolLock.Holder? {
        let path = try located.get()
        if let holder = try attempt({ () throws(SystemError) in try SpoolLock.holder(spool: path) }) { return holder }
        return owner == nil ? nil : try servesAtRest()
    }

    /// Root's daemon where it serves this user's part without a process of the user's, because nothing is to be done.
    private func servesAtRest() throws(Failure) -> SpoolLock.Holder? {
        guard access(spoolPath, F_OK) == 0, let table = try daemonTable(), table.text("state") == "resting",
            let pid = table.whole("pid").flatMap({ pid_t(exactly: $0) }), pid > 1, kill(pid, 0) == 0 || errno == EPERM
        else { return nil }
        // Where other users' processes are hidden its number alone is known.
        if let began = table.whole("pid_start_time"), let now = try? Process.startTime(pid), Int64(clamping: now) != began { return nil }
        return SpoolLock.Holder(pid: pid, host: table.text("host") ?? "?")
    }

    // MARK: Reading

    /// The file that the daemon of the spool reads, or has read last; where that is not known, the one that a daemon would look for.
    var configurationPath: String? {
        if let given = arguments.value("config") { return given }
        // What a user has put there says nothing to others.
        if owner == nil || geteuid() != 0, let file = published?.configuration.file, access(file, F_OK) == 0 { return file }
        if geteuid() == 0 || owner != nil { return "/etc/spoold/spoold.toml" }
        if let config = environment("XDG_CONFIG_HOME") { return "\(config)/spoold/spoold.toml" }
        return homeDirectory().map { "\($0)/.config/spoold/spoold.toml" }
    }

    /// What the daemon that serves the spool has in force. Where none does, or `--config` says so, what its file says; where there is none,
    /// the defaults.
    func configuration() throws(Failure) -> Configuration {
        if let configured { return configured }
        if let published, published.isInForce, !isOtherNamed(than: published.configuration) {
            if let configuration = try? published.configuration.configuration(zones) {  // a zone that is not here: the file tells, below
                configured = configuration
                return configuration
            }
        }
        var configuration = Configuration()
        if let path = configurationPath, let bytes = try configurationBytes(path) {
            do throws(Problems) { configuration = try Configuration(bytes, zones: zones, now: now) } catch {
                throw Failure(file: path, error)
            }
        }
        configured = configuration
        if let published, published.isInForce, published.configuration.zoneName != configuration.zone.name {
            complain("the daemon has timezone \(published.configuration.zoneName) in force, and \(configurationPath ?? "the configuration") says \(configuration.zone.name)")
        }
        return configuration
    }

    /// `--config` names another file than the daemon's.
    private func isOtherNamed(than published: PublishedConfiguration) -> Bool {
        guard let given = arguments.value("config") else { return false }
        return published.file.map { !Self.isSameFile(given, $0) } ?? true
    }

    /// Whether two paths lead to one file; of none that is there they do not.
    private static func isSameFile(_ a: String, _ b: String) -> Bool {
        var (first, second) = (stat(), stat())
        return a == b || stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_ino == second.st_ino && first.st_dev == second.st_dev
    }

    /// Has the next question find out anew what is in force.
    func forgetConfiguration() {
        configured = nil
        published = readPublished()
    }

    /// Nil where there is no spool, or no daemon has said what it has in force: then its file says it.
    private func readPublished() -> (configuration: PublishedConfiguration, isInForce: Bool)? {
        guard case .success = located, let fs = try? DiskFileSystem(path: spoolPath),  // no spool, or none that can be opened
            let table = try? daemonTable(fs), let published = PublishedConfiguration(table)  // not readable: it says nothing
        else { return nil }
        let holder: SpoolLock.Holder?
        // Whoever needs the daemon asks again, and is told why it cannot be found out.
        do throws(Failure) { holder = try daemon() } catch { holder = nil }
        // What another process published is not what this one has in force.
        return (published, holder != nil && table.whole("pid") == holder.map { Int64($0.pid) })
    }

    /// Nil: there is none, and nobody asked for it.
    private func configurationBytes(_ path: String) throws(Failure) -> [UInt8]? {
        do throws(SystemError) {
            return try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK).readAll(limit: Source.bytesMax)
        } catch {
            if error.errno == SystemError.noSuchFile, arguments.value("config") == nil { return nil }
            throw Failure(error)
        }
    }

    /// Says that nothing is being done, where no daemon serves the spool. Data alone is printed to scripts without that.
    func remarkIfNotServed() throws(Failure) {
        guard !isJSON, !isQuiet, try daemon() == nil else { return }
        let seen = try daemonTable()?.instant("at").map { ", and was last seen at \(time($0))" } ?? ""
        complain("spoold is not running\(seen): nothing runs, and nothing is taken up, until it starts")
    }

    /// What definitions are read with: wall times without a zone mean the configured one.
    func context() throws(Failure) -> ReadingContext {
        ReadingContext(now: now, zones: zones, zone: try configuration().zone, owner: .current, filesMax: DescriptorLimit.kernelMax)
    }

    /// The same where a configuration that cannot be read must not keep the command from its work: wall times then mean UTC.
    func contextInAnyCase() -> ReadingContext {
        let zone = (try? configuration().zone) ?? .utc  // the error is reported by whoever needs the configuration itself
        return ReadingContext(now: now, zones: zones, zone: zone, owner: .current, filesMax: DescriptorLimit.kernelMax)
    }

    /// An instant given by an option; nil when the option is not given.
    func instant(option: String) throws(Failure) -> Instant? {
        guard let text = arguments.value(option) else { return nil }
        return try instant(text, option: option)
    }

    /// An instant given on the command line.
    func instant(_ text: String, option: String) throws(Failure) -> Instant {
        do throws(RecurrenceError) { return try Instant.parse(text, zone: try zoneForArguments(), now: now) } catch {
            throw .invalid("--\(option): \(error)")
        }
    }

    /// An instant in the past given on the command line: `1d` is a day ago, everything else is an instant.
    func past(_ text: String, option: String) throws(Failure) -> Instant {
        if let span = try? Span.parse(text) { return now - span }  // no duration: an instant, below
        return try instant(text, option: option)
    }

    func zoneForArguments() throws(RecurrenceError) -> Zone {
        if let name = arguments.value("timezone") { return try zones.zone(name) }
        do throws(Failure) { return try configuration().zone } catch {
            throw RecurrenceError(error.lines.joined(separator: "; "))
        }
    }

    /// A duration given on the command line, in milliseconds.
    func milliseconds(_ text: String, option: String) throws(Failure) -> Int64 {
        do throws(RecurrenceError) {
            if let seconds = Double(text) { return try Span(seconds: seconds).approximateMilliseconds }
            return try Span.parse(text).approximateMilliseconds
        } catch {
            throw .invalid("--\(option): \(error)")
        }
    }

    /// A whole number given on the command line.
    func count(_ option: String, default standard: Int) throws(Failure) -> Int {
        guard let text = arguments.value(option) else { return standard }
        guard let number = Int(text), number >= 0 else { throw .usage("--\(option) needs a whole number, not \"\(text)\"") }
        return number
    }

    /// The only operand.
    func operand(_ what: String) throws(Failure) -> String {
        guard arguments.operands.count == 1 else {
            throw .usage(
                arguments.operands.isEmpty
                    ? "\(command.name) needs \(what); see spoolctl \(command.name) --help"
                    : "\(command.name) takes \(what) alone, and \"\(arguments.operands[1])\" is too many")
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
        if let first = arguments.operands.first { throw .usage("\(command.name) takes no operands, and \"\(first)\" is one") }
    }
}
