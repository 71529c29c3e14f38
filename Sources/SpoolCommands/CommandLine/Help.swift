/// The help texts, which are generated from the table of commands.
enum Help {
    static func overview(_ output: Output) {
        output.line("usage: spoolctl [--spool DIR] COMMAND …")
        output.line("")
        let width = SpoolCommand.all.map(\.name.count).max() ?? 0
        for command in SpoolCommand.all {
            output.line("  \(padded(command.name, width))  \(command.summary)")
        }
        output.line("")
        output.line("Options of every command:")
        options(Option.global, to: output)
        output.line("")
        output.line("spoolctl COMMAND --help describes a command. Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 invalid input,")
        output.line("5 not permitted; with wait and -w the job's own code, 128+n for signal n, 124 timeout, 125 never ran.")
    }

    static func command(_ command: SpoolCommand, _ output: Output) {
        output.line("usage: spoolctl \(command.name)\(command.arguments.isEmpty ? "" : " ")\(command.arguments)")
        output.line("")
        output.line("\(command.summary.prefix(1).uppercased())\(command.summary.dropFirst()).")
        for paragraph in command.details {
            output.line("")
            for line in wrapped(paragraph) { output.line(line) }
        }
        if !command.options.isEmpty {
            output.line("")
            output.line("Options:")
            options(command.options, to: output)
        }
        output.line("")
        output.line("Options of every command: \(Option.global.map(spelling).joined(separator: "; ")).")
        if !command.examples.isEmpty {
            output.line("")
            output.line("Examples:")
            for example in command.examples {
                output.line("  \(example.command)")
                output.line("      \(example.what)")
            }
        }
    }

    private static func options(_ options: [Option], to output: Output) {
        let spellings = options.map(spelling)
        let width = min(26, spellings.map(\.count).max() ?? 0)
        for (option, spelling) in zip(options, spellings) {
            if spelling.count > width {
                output.line("  \(spelling)")
                output.line("  \(padded("", width))  \(option.help)")
            } else {
                output.line("  \(padded(spelling, width))  \(option.help)")
            }
        }
    }

    private static func spelling(_ option: Option) -> String {
        var names = option.short.map { ["-\($0)"] } ?? []
        names.append("--\(option.name)")
        if let alias = option.alias { names.append("--\(alias)") }
        return names.joined(separator: ", ") + (option.value.map { " \($0)" } ?? "")
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    static func wrapped(_ text: String, columns: Int = 100) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            if !line.isEmpty, line.count + word.count + 1 > columns {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        if !line.isEmpty { lines.append(line) }
        return lines
    }
}
