/// One command of spoolctl: its name and operands, its help, and its code. Dispatch, help and completion read these values.
struct SpoolCommand: Sendable {
    var name: String
    /// The text after the name in a manual page's synopsis: `[options] [--] COMMAND…`.
    var arguments: String
    /// One line that begins with a verb in the imperative.
    var summary: String
    /// Paragraphs that end the help.
    var details: [String]
    var options: [Option]
    /// The names of the options that most users need, in the order in which help lists them, before all groups.
    var mostUsed: [String]
    var examples: [Example]
    /// The number of operands before another program's command line, whose options spoolctl leaves alone. Nil when none follows.
    var ownOperands: Int?
    var run: @Sendable (Session) throws(Failure) -> Int32

    struct Example: Sendable {
        /// A command line; a long one is continued after a backslash.
        var command: String
        var what: String

        init(_ command: String, _ what: String) {
            self.command = command
            self.what = what
        }
    }

    init(
        _ name: String, _ arguments: String, _ summary: String, details: [String] = [], options: [Option] = [],
        mostUsed: [String] = [], examples: [Example] = [], ownOperands: Int? = nil,
        run: @escaping @Sendable (Session) throws(Failure) -> Int32
    ) {
        self.name = name
        self.arguments = arguments
        self.summary = summary
        self.details = details
        self.options = options
        self.mostUsed = mostUsed
        self.examples = examples
        self.ownOperands = ownOperands
        self.run = run
    }
}
