import Store
import Testing

@testable import SpoolCommands

@Suite("Arguments") struct ArgumentsTests {
    static let options = [
        Option("wait", "w", ""), Option("name", "n", value: "NAME", ""), Option("tag", value: "NAME", ""),
        Option("tag-all", value: "NAME", ""),
        Option("start", alias: "at", value: "TIME", ""),
        Option("timeout", value: "TIME", ""), Option("keep", value: "TIME", ""),
    ]

    static func parse(_ words: [String], ownOperands: Int? = nil) throws(Failure) -> Arguments {
        try Arguments(words, options: options, ownOperands: ownOperands, command: "submit")
    }

    static let lines: [(words: [String], own: Int?, given: [String], operands: [String])] = [
        ([], nil, [], []),
        (["a", "b"], nil, [], ["a", "b"]),
        (["-w", "a"], nil, ["wait="], ["a"]),
        (["a", "--wait"], nil, ["wait="], ["a"]),
        (["-n", "x"], nil, ["name=x"], []),
        (["-nx"], nil, ["name=x"], []),
        (["-wnx"], nil, ["wait=", "name=x"], []),
        (["--name", "x"], nil, ["name=x"], []),
        (["--name=x=y"], nil, ["name=x=y"], []),
        (["--name="], nil, ["name="], []),
        (["--name", "--wait"], nil, ["name=--wait"], []),
        (["--at", "noon"], nil, ["start=noon"], []),
        (["--tag", "a", "--tag", "b"], nil, ["tag=a", "tag=b"], []),
        (["-"], nil, [], ["-"]),
        (["--", "-w", "--", "x"], nil, [], ["-w", "--", "x"]),
        // After the command's own operands the rest is another program's command line.
        (["make", "-w", "--name", "x"], 0, [], ["make", "-w", "--name", "x"]),
        (["backup", "-w", "make", "-w"], 1, ["wait="], ["backup", "make", "-w"]),
        (["--timeout", "10"], nil, ["timeout=10"], []),
        // An abbreviation of one option; a full name that is also the beginning of another; another name of the option.
        (["--na", "x", "--w"], nil, ["name=x", "wait="], []),
        (["--tag", "a", "--tag-", "b"], nil, ["tag=a", "tag-all=b"], []),
        (["--a=noon", "--star", "now"], nil, ["start=noon", "start=now"], []),
    ]

    @Test("Options and operands are distinguished", arguments: lines)
    func line(_ row: (words: [String], own: Int?, given: [String], operands: [String])) throws {
        let arguments = try Self.parse(row.words, ownOperands: row.own)
        #expect(arguments.given.map { "\($0.name)=\($0.value)" } == row.given)
        #expect(arguments.operands == row.operands)
    }

    static let mistakes: [(words: [String], code: Int32, message: String)] = [
        (["--nmae", "x"], ExitCode.usage, "unknown option --nmae; did you mean --name?"),
        (["--zzzzzz"], ExitCode.usage, "unknown option --zzzzzz; see spoolctl submit --help"),
        (["-x"], ExitCode.usage, "unknown option -x; see spoolctl submit --help"),
        (["-wx"], ExitCode.usage, "unknown option -x; see spoolctl submit --help"),
        (["-wait"], ExitCode.usage, "unknown option -a; did you mean --wait?"),
        (["--name"], ExitCode.usage, "--name needs NAME"),
        (["-n"], ExitCode.usage, "-n needs NAME"),
        (["--wait=yes"], ExitCode.usage, "--wait takes no value"),
        (["--wai=yes"], ExitCode.usage, "--wait takes no value"),
        (["--t", "x"], ExitCode.usage, "--t is ambiguous: --tag, --tag-all, --timeout"),
        (["--ta", "x"], ExitCode.usage, "--ta is ambiguous: --tag, --tag-all"),
        (["--=x"], ExitCode.usage, "unknown option --; see spoolctl submit --help"),
    ]

    @Test("The error of a mistake names the option and the remedy", arguments: mistakes)
    func mistake(_ row: (words: [String], code: Int32, message: String)) {
        let failure = failure { () throws(Failure) in _ = try Self.parse(row.words) }
        #expect(failure?.code == row.code && failure?.lines == [row.message], "\(failure as Any)")
    }

    static let rows: [(words: [String], given: [String], remarks: [String])] = [
        (["-n", "3"], ["limit=3"], []),
        (["-n3"], ["limit=3"], []),
        (["-N", "backup"], ["name=backup"], []),
        (["-n", "backup"], ["name=backup"], ["-n for --name will not work in a later release; write --name or -N"]),
        (["-qnbackup"], ["quiet=", "name=backup"], ["-n for --name will not work in a later release; write --name or -N"]),
    ]

    @Test("A letter with a new meaning keeps its former one for a value that fits only that, with a remark", arguments: rows)
    func former(_ row: (words: [String], given: [String], remarks: [String])) throws {
        let options = [
            Option("limit", "n", value: "N", ""), Option("name", "N", formerShort: "n", value: "NAME", ""), Option("quiet", "q", ""),
        ]
        let arguments = try Arguments(row.words, options: options, ownOperands: nil, command: "jobs")
        #expect(arguments.given.map { "\($0.name)=\($0.value)" } == row.given)
        #expect(arguments.remarks == row.remarks)
    }

    @Test("Options of every command have names and letters that no command uses otherwise, and no command has a name twice")
    func names() {
        for command in SpoolCommand.all {
            let options = command.options + Option.global
            let names = options.flatMap(\.names)
            #expect(Set(names).count == names.count, "\(command.name): \(names.sorted())")
            let letters = options.compactMap(\.short)
            #expect(Set(letters).count == letters.count, "\(command.name): \(letters.sorted())")
            #expect(Set(command.mostUsed).subtracting(names) == [] && [0, 10].contains(command.mostUsed.count), "\(command.name)")
        }
    }

    @Test("A number of days or seconds needs its unit where it could be either")
    func bareNumbers() {
        let failure = failure { () throws(Failure) in _ = try Self.parse(["--keep", "30"]) }
        #expect(failure?.code == ExitCode.invalid && failure?.lines.first?.hasPrefix("--keep 30: the number has no unit; ") == true)
    }

    @Test("The last value of an option that is given twice counts, and all values can be read")
    func repeated() throws {
        let arguments = try Self.parse(["--name", "a", "--name", "b"])
        #expect(arguments.value("name") == "b" && arguments.values("name") == ["a", "b"] && !arguments.flag("wait"))
    }
}
