/// One command of spoolctl: its name and operands, its help, and its code. Dispatch, help and completion read these values.
struct SpoolCommand: Sendable {
    var name: String
    /// The text after the name in a manual page's synopsis: `[options] [--] COMMAND…`.
    var arguments: String
    /// One line that begins with a verb in the imperative.
    var summary: String
    /// Paragraphs that follow the summary in the help.
    var details: [String]
    var options: [Option]
    var examples: [Example]
    /// The number of operands before another program's command line, whose options spoolctl leaves alone. Nil when none follows.
    var ownOperands: Int?
    var run: @Sendable (Session) throws(Failure) -> Int32

    struct Example: Sendable {
        var command: String
        var what: String

        init(_ command: String, _ what: String) {
            self.command = command
            self.what = what
        }
    }

    init(
        _ name: String, _ arguments: String, _ summary: String, details: [String] = [], options: [Option] = [],
        examples: [Example] = [], ownOperands: Int? = nil, run: @escaping @Sendable (Session) throws(Failure) -> Int32
    ) {
        self.name = name
        self.arguments = arguments
        self.summary = summary
        self.details = details
        self.options = options
        self.examples = examples
        self.ownOperands = ownOperands
        self.run = run
    }
}

/// An option of a command.
struct Option: Sendable {
    /// Without its dashes.
    var name: String
    var short: Character?
    /// Another long name of the same option.
    var alias: String?
    /// The value's name in the help; nil when the option takes no value.
    var value: String?
    var help: String

    init(_ name: String, alias: String? = nil, value: String? = nil, _ help: String) {
        self.name = name
        self.alias = alias
        self.value = value
        self.help = help
    }

    init(_ name: String, _ short: Character, alias: String? = nil, value: String? = nil, _ help: String) {
        self.name = name
        self.short = short
        self.alias = alias
        self.value = value
        self.help = help
    }

    /// The options of every command, accepted before and after the command's name.
    static let global = [
        Option("spool", value: "DIR", "the spool (default: $SPOOL_DIR, else the user's or the system's spool)"),
        Option("config", value: "FILE", "the configuration file (default: the one that the spool's daemon uses)"),
        Option("json", "print data as JSON"),
        Option("quiet", "q", "print only ids or names"),
        Option("help", "h", "print this help"),
    ]
}
