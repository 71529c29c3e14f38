/// The help texts, which are generated from the table of commands. Their lines fit 80 columns.
enum Help {
    private static let columns = 80

    static func overview(_ output: Output) {
        output.line("usage: spoolctl [--spool DIR] COMMAND …")
        let width = SpoolCommand.all.map(\.name.count).max() ?? 0
        for group in SpoolCommand.groups {
            output.line("")
            output.line("\(group.title):")
            for command in group.commands { entry(command.name, command.summary, width, output) }
        }
        output.line("")
        output.line("Options of every command:")
        options(Option.global, width: 14, output)
        output.line("")
        paragraph(
            """
            spoolctl COMMAND --help describes a command. Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 invalid input, 5 not \
            permitted; with wait and -w the job's own code, 128+n for signal n, 124 timeout, 125 never ran.
            """, output)
    }

    /// The use, the examples, the most used options, all other options in their groups, and then the details.
    static func command(_ command: SpoolCommand, _ output: Output) {
        let usage = "usage: spoolctl \(command.name)"
        let arguments = Columns.wrapped(command.arguments, to: columns - usage.count - 1)
        output.line("\(usage)\(arguments.isEmpty ? "" : " ")\(arguments.joined(separator: "\n" + padded("", usage.count + 1)))")
        output.line("")
        paragraph("\(command.summary.prefix(1).uppercased())\(command.summary.dropFirst()).", output)
        if !command.examples.isEmpty {
            output.line("")
            output.line("Examples:")
            for example in command.examples {
                for line in example.command.split(separator: "\n") { output.line("  \(line)") }
                output.line("      \(example.what)")
            }
        }
        let groups = groups(of: command)
        let width = min(24, groups.flatMap(\.options).map { spelling($0).count }.max() ?? 0)
        for group in groups {
            output.line("")
            output.line("\(group.title):")
            options(group.options, width: width, output)
        }
        let globals = Option.global.map(spelling).joined(separator: "; ")
        for text in command.details + ["Options of every command: \(globals). Long options can be abbreviated."] {
            output.line("")
            paragraph(text, output)
        }
    }

    /// The most used options first, then the options of this command alone, then each group.
    private static func groups(of command: SpoolCommand) -> [(title: String, options: [Option])] {
        let mostUsed = command.mostUsed.map { name in
            guard let option = command.options.first(where: { $0.names.contains(name) }) else {
                preconditionFailure("\(command.name) has no option \(name)")
            }
            return option
        }
        let others = command.options.filter { option in !mostUsed.contains { $0.name == option.name } }
        let ownTitle = mostUsed.isEmpty ? "Options" : "Of \(command.name) alone"
        var groups = [("Most used", mostUsed), (ownTitle, others.filter { $0.group == nil })]
        groups += Option.Group.allCases.map { group in (group.rawValue, others.filter { $0.group == group }) }
        return groups.filter { !$0.1.isEmpty }
    }

    private static func options(_ options: [Option], width: Int, _ output: Output) {
        for option in options { entry(spelling(option), option.help, width, output) }
    }

    /// A name and its meaning, which continues below itself. A name that is too long has its line alone.
    private static func entry(_ name: String, _ meaning: String, _ width: Int, _ output: Output) {
        var start = "  \(padded(name, width))  "
        if name.count > width {
            output.line("  \(name)")
            start = padded("", width + 4)
        }
        for line in Columns.wrapped(meaning, to: columns - width - 4) {
            output.line(start + line)
            start = padded("", width + 4)
        }
    }

    private static func spelling(_ option: Option) -> String {
        let short = option.short.map { ["-\($0)"] } ?? []
        return (short + option.names.map { "--\($0)" }).joined(separator: ", ") + (option.value.map { " \($0)" } ?? "")
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func paragraph(_ text: String, _ output: Output) {
        for line in Columns.wrapped(text, to: columns) { output.line(line) }
    }
}
