/// One subcommand: how it is called, what it says of itself, and what it does. Dispatch and all help are made of these.
struct SpoolCommand: Sendable {
    var name: String
    /// What follows the name, as in a manual: `[options] [--] COMMAND…`.
    var arguments: String
    /// One line, beginning with a verb.
    var summary: String
    /// What the manual says beyond the options; paragraphs.
    var details: [String]
    var options: [Option]
    var examples: [Example]
    /// After more operands than this, the rest is somebody else's command line and its options are left alone.
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
    /// Another long name for the same.
    var alias: String?
    /// What its value is called; nil: it takes none.
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

    /// Understood by every command, before and after its name.
    static let global = [
        Option("spool", value: "DIR", "the spool (else $SPOOL_DIR, else the user's or the system's)"),
        Option("config", value: "FILE", "the configuration (else what the daemon of the spool has in force)"),
        Option("json", "print data as JSON"),
        Option("quiet", "q", "print ids or names alone"),
        Option("help", "h", "say how a command is called"),
    ]
}
