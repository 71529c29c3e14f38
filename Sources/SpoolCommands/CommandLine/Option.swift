/// An option of a command.
struct Option: Sendable {
    /// Without its dashes.
    var name: String
    var short: Character?
    /// Another long name of the same option.
    var alias: String?
    /// A letter that was the short form in an earlier release. It still works, with a remark on standard error.
    var formerShort: Character?
    /// The value's name in the help; nil when the option takes no value.
    var value: String?
    var help: String
    /// The group in which help lists the option; nil for an option of one command only.
    var group: Group?
    /// The value names a task, job or schedule, which root may write with its user: `alice/backup`.
    private(set) var mayNameUser = false
    /// A number without a unit means seconds, also where another option of the name refuses it.
    private(set) var isInSeconds = false

    init(_ name: String, alias: String? = nil, formerShort: Character? = nil, value: String? = nil, _ help: String) {
        self.name = name
        self.alias = alias
        self.formerShort = formerShort
        self.value = value
        self.help = help
    }

    init(_ name: String, _ short: Character, alias: String? = nil, formerShort: Character? = nil, value: String? = nil, _ help: String) {
        self.init(name, alias: alias, formerShort: formerShort, value: value, help)
        self.short = short
    }

    /// The groups of options, in the order in which help lists them. The manual has the same titles.
    enum Group: String, CaseIterable {
        case filters = "Which jobs"
        case what = "What runs, and where"
        case when = "When"
        case order = "Order"
        case ending = "Limits, tries and ending"
        case notices = "Records and notices"
    }

    /// The options, each as one of this group.
    static func group(_ group: Group, _ options: [Option]) -> [Option] {
        options.map { option in
            var option = option
            option.group = group
            return option
        }
    }

    /// The same option; its value names something that belongs to a user.
    var ofUsers: Option {
        var option = self
        option.mayNameUser = true
        return option
    }

    /// The same option; a number without a unit means seconds.
    var inSeconds: Option {
        var option = self
        option.isInSeconds = true
        return option
    }

    /// The options of every command, accepted before and after the command's name.
    static let global = [
        Option("spool", value: "DIR", "the spool (default: $SPOOL_DIR, else the user's or the system's spool)"),
        Option("config", value: "FILE", "the configuration file (default: the one that the spool's daemon uses)"),
        Option("json", "print data as JSON"),
        Option("quiet", "q", "print only ids or names"),
        Option("verbose", "v", "say on standard error which spool, daemon and configuration are used, and which files are changed"),
        Option("no-color", "print no colours; the variable NO_COLOR does the same"),
        Option("help", "h", "print this help"),
        Option("version", "V", "print the version"),
    ]

    // MARK: Names

    var names: [String] { alias.map { [name, $0] } ?? [name] }

    /// The options that a long name without its dashes can mean: the one of exactly this name, else all whose names begin with it, as
    /// getopt_long(3) reads abbreviations.
    static func meant(by name: String, among options: [Option]) -> [Option] {
        if let exact = options.first(where: { $0.names.contains(name) }) { return [exact] }
        guard !name.isEmpty else { return [] }
        return options.filter { option in option.names.contains { $0.hasPrefix(name) } }
    }

    /// The name of the option that a long name or its abbreviation stands for.
    func fullName(of name: String) -> String { names.contains(name) ? name : names.first { $0.hasPrefix(name) } ?? self.name }
}
