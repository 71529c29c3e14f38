import Documents
import Lines
import Linux
import Model
import TextSearch

/// A crontab that is read where it is: each of its lines is a task, or has a fault.
public struct LiveCrontab: Sendable {
    /// What a line says. The history and the due times of a line follow this, not the number of the line or the variables above it.
    public struct Identity: Hashable, Sendable {
        public var user: String
        /// The time fields and their time zone.
        public var when: String
        /// The command with its standard input, without the blanks before it.
        public var command: String

        /// True when the two lines differ in their time at most.
        public func isSameWork(as other: Identity) -> Bool { user == other.user && command == other.command }

        /// The identity of the line from which this task's text was made. The text must be a task of a crontab.
        public init(of table: Table) {
            func text(_ key: String, in table: Table) -> String {
            if case .string(let text)? = table[key]?.kind { text } else { "" }
        }
        user = text("user", in: table)
            command = String(text("command", in: table).drop { $0 == " " || $0 == "\t" })
            if case .table(let input)? = table["stdin"]?.kind { command += "%\(text("text", in: input))" }
            var when = ""
            if case .array(let schedules)? = table["schedule"]?.kind, case .table(let schedule)? = schedules.first?.kind {
                when = "\(text("cron", in: schedule)) \(text("timezone", in: schedule))"
            }
            self.when = when
        }
    }

    /// A line with a command.
    public struct Task: Sendable {
        /// The line's number, from 1.
        public var line: Int
        /// The name, unless another task has it.
        public var baseName: String
        public var identity: Identity
        /// The task's text.
        public var source: Source
    }

    /// A line that cannot be used.
    public struct Fault: Sendable {
        public var line: Int
        public var column: Int
        /// The line as written.
        public var text: String
        public var message: String
    }

    public enum Line: Sendable {
        case task(Task)
        case fault(Fault)
    }

    /// The lines with a command and those with a fault, in the order of the file.
    public private(set) var lines: [Line] = []
    /// Lines that may not mean what their author intended.
    public private(set) var remarks: [Crontab.Problem] = []
    /// The tasks, for reading a later text of the crontab.
    public private(set) var known = KnownLines()
    /// The reason why no line can be read: the file is not a text. Nil when it is one.
    public private(set) var refusal: Crontab.Problem?

    /// The facts about the machine and the spool that decide what a line means.
    public struct Reading {
        /// The owner of the spool: root, or the user whose crontab it is.
        public var owner: String
        public var isRoot: Bool
        /// The value of the key `catch_up` of each task.
        public var catchUp: String
        /// Returns true for the name of a user of this machine.
        public var isUser: (String) -> Bool
        /// Returns the reason why the runs of a task could not be started, or nil.
        public var fault: (Source) -> String?
        /// It is the crontab of a container: see ``CrontabTask/Manner/container``.
        public var isOfContainer = false

        public init(
            owner: String, isRoot: Bool, catchUp: String, isUser: @escaping (String) -> Bool, fault: @escaping (Source) -> String?
        ) {
            (self.owner, self.isRoot, self.catchUp, self.isUser, self.fault) = (owner, isRoot, catchUp, isUser, fault)
        }

        /// The reason why the runs of a line's task could not be started, or nil.
        public static func fault(of source: Source, _ context: ReadingContext) -> String? {
            do throws(Problems) {
                try TaskDefinition(name: "line", source: source, context).checkRun(context)
                return nil
            } catch {
                return error.all.map(\.message).joined(separator: "; ")
            }
        }
    }

    /// - Parameters:
    ///   - user: the user whose crontab it is. Nil for the system's, in which each line names a user.
    ///   - earlier: the lines of an earlier text of the same crontab, all of which could be used. They were read in the same way, but for
    ///     the users there are.
    public init(_ bytes: [UInt8], path: String, user: String?, _ reading: Reading, earlier: KnownLines = KnownLines()) {
        var finder = KnownLines.Finder(earlier)
        var places: [Int: KnownLines.Place] = [:]
        var tasks: [Task] = []
        // Half of a command may be another command. cron(8) and crontab(1) refuse such a file.
        let isWhole = bytes.last == UInt8(ascii: "\n") || reading.isOfContainer
        let crontab = Crontab(bytes, isSystem: user == nil, isUser: reading.isUser) { unread in
            let place = finder.place(of: unread)
            guard isWhole, var task = earlier[place], task.identity.user.isEmpty || reading.isUser(task.identity.user) else {
                places[unread.line.number] = place
                return true
            }
            task.line = unread.line.number
            tasks.append(task)
            known[place] = task
            return false
        }
        let isOnly = crontab.entries.count + tasks.count == 1
        // The name of an only line is another.
        if isOnly || earlier.isOnly, !tasks.isEmpty {
            self = LiveCrontab(bytes, path: path, user: user, reading)
            return
        }
        guard let texts = try? Lines(checking: bytes) else {  // the problem is among those of the crontab
            refusal = crontab.problems.first
            return
        }
        var faults = crontab.problems
        known.isOnly = isOnly
        let unended = isWhole ? nil : Array(texts).last?.number
        let base = BaseName(path: path, user: reading.isOfContainer ? nil : user, isOnly: isOnly)
        for entry in crontab.entries {
            do throws(CrontabTask.Refusal) {
                guard entry.line != unended else {
                    throw CrontabTask.Refusal(why: "the last line has no newline at its end, so it may be half of a line")
                }
                let task = try Self.task(entry, base, user: user, reading)
                tasks.append(task)
                if let place = places[entry.line] { known[place] = task }
            } catch {
                faults.append(Crontab.Problem(line: entry.line, column: 1, message: error.why))
            }
        }
        known.number(as: finder)
        tasks.sort { $0.line < $1.line }
        let faultByLine = Dictionary(faults.map { ($0.line, $0) }) { first, _ in first }
        lines = tasks.map { .task($0) }
        remarks = crontab.remarks.filter { faultByLine[$0.line] == nil }
        guard !faultByLine.isEmpty else { return }
        for line in texts {
            guard let fault = faultByLine[line.number] else { continue }
            let text = FileName.string(from: Array(line.bytes))
            lines.append(.fault(Fault(line: fault.line, column: fault.column, text: text, message: fault.message)))
        }
        lines.sort { $0.number < $1.number }
    }

    private static func task(
        _ entry: Crontab.Entry, _ base: BaseName, user: String?, _ reading: Reading
    ) throws(CrontabTask.Refusal) -> Task {
        // cron(8) looks the user up when it reads the crontab, and refuses a line whose user does not exist.
        if let named = entry.user, !reading.isUser(named) {
            throw CrontabTask.Refusal(why: "there is no user \"\(named)\" on this machine")
        }
        var entry = entry
        if entry.comment.map(isLegend) ?? false { entry.comment = nil }
        let table = try CrontabTask.table(
            entry, owner: reading.owner, user: user ?? reading.owner, isRoot: reading.isRoot, catchUp: reading.catchUp,
            reading.isOfContainer ? .container : .cron)
        let source = Source(writing: table)
        if let why = reading.fault(source) { throw CrontabTask.Refusal(why: why) }
        return Task(line: entry.line, baseName: base.of(entry.command), identity: Identity(of: table), source: source)
    }

    /// True for a comment that explains the form of a crontab, as above the first line of Debian's /etc/crontab, and for the header that
    /// crontab(1) writes above the first line of a user's crontab.
    private static func isLegend(_ comment: String) -> Bool {
        ["dom mon dow", "* * * *", "*  *  *  *", "DO NOT EDIT THIS FILE"].contains { comment.contains($0) }
    }

    public var faults: [Fault] {
        lines.compactMap { if case .fault(let fault) = $0 { fault } else { nil } }
    }
}

extension LiveCrontab.Line {
    public var number: Int {
        switch self {
        case .task(let task): task.line
        case .fault(let fault): fault.line
        }
    }
}

/// The names of the tasks of a crontab, before they are made unique: `cron.d-certbot`, `crontab-alice-backup`, `crontab-run-parts`.
struct BaseName {
    private static let lengthMax = 50
    private let prefix: String
    /// The crontab is a file of `cron.d` with one line. Its name alone says enough.
    private let isWhole: Bool

    init(path: String, user: String?, isOnly: Bool) {
        let parts = path.split(separator: "/")
        if let user {
            prefix = "crontab-\(user)"
            isWhole = false
        } else if parts.dropLast().last == "cron.d" {
            prefix = "cron.d-\(parts.last ?? "")"
            isWhole = isOnly
        } else {
            prefix = "crontab"
            isWhole = false
        }
    }

    func of(_ command: String) -> String {
        let program = ProgramName.of(command)
        let isSaid = isWhole || prefix.hasSuffix("-\(program)")
        return Name.sanitized((isSaid ? prefix : "\(prefix)-\(program)").prefix(Self.lengthMax))
    }
}
