import Documents
import Store

/// A command line, divided into the options that a command knows and operands.
struct Arguments {
    struct Given {
        var name: String
        var value: String
        /// The option as the user wrote it, for errors: `-n`, `--name`.
        var spelling: String
    }

    private(set) var given: [Given] = []
    private(set) var operands: [String] = []
    /// Remarks about spellings that will not work any more in a later release.
    private(set) var remarks: [String] = []

    mutating func replaceOperands(_ operands: [String]) { self.operands = operands }

    /// Replaces each value of these options.
    mutating func replaceValues(of options: Set<String>, _ change: (String) -> String) {
        for index in given.indices where options.contains(given[index].name) { given[index].value = change(given[index].value) }
    }

    func flag(_ name: String) -> Bool { given.contains { $0.name == name } }
    /// The value given last, so that the user can override an option in a shell's alias.
    func value(_ name: String) -> String? { given.last { $0.name == name }?.value }
    /// The option as the user wrote it the last time, for errors.
    func spelling(of name: String) -> String { given.last { $0.name == name }?.spelling ?? "--\(name)" }
    func values(_ name: String) -> [String] { given.filter { $0.name == name }.map(\.value) }

    /// Refuses each of these options beside `what`, a file that says the same.
    func refuse(_ options: [String], with what: String) throws(Failure) {
        guard let option = given.first(where: { options.contains($0.name) }) else { return }
        throw .usage("\(option.spelling) does not go with \(what): the file says it")
    }

    /// Refuses each of these options beside another one.
    func refuse(_ options: [String], beside other: String) throws(Failure) {
        guard let option = given.first(where: { options.contains($0.name) }) else { return }
        throw .usage("\(option.spelling) does not go with \(other)")
    }

    /// Adds options that were given before these.
    mutating func precede(by earlier: Arguments) { given = earlier.given + given }

    /// Separates options from operands. After more than `ownOperands` operands, or after `--`, every word is an operand.
    init(_ words: some Sequence<String>, options: [Option], ownOperands: Int?, command: String?) throws(Failure) {
        var rest = Array(words)[...]
        while let word = rest.popFirst() {
            if word == "--" {
                operands += rest
                return
            }
            if word.hasPrefix("--") {
                try takeLong(word, &rest, options, command)
            } else if word.hasPrefix("-"), word != "-" {
                try takeShort(word, &rest, options, command)
            } else {
                operands.append(word)
                if let ownOperands, operands.count > ownOperands {
                    operands += rest
                    return
                }
            }
        }
    }

    private mutating func takeLong(
        _ word: String, _ rest: inout ArraySlice<String>, _ options: [Option], _ command: String?
    ) throws(Failure) {
        let parts = word.dropFirst(2).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let meant = Option.meant(by: parts[0], among: options)
        guard let option = meant.first else {
            throw Self.unknown("--\(parts[0])", near: nearest(to: parts[0], among: Self.names(options)).map { "--\($0)" }, command)
        }
        guard meant.count == 1 else {
            let candidates = meant.map { "--\($0.fullName(of: parts[0]))" }
            throw .usage("--\(parts[0]) is ambiguous: \(candidates.joined(separator: ", "))")
        }
        let name = option.fullName(of: parts[0])
        if option.value == nil {
            guard parts.count == 1 else { throw .usage("--\(name) takes no value") }
            given.append(Given(name: option.name, value: "", spelling: "--\(name)"))
        } else if parts.count == 2 {
            try give(option, parts[1], "--\(name)")
        } else {
            try takeValue(option, "--\(name)", &rest)
        }
    }

    /// `-x`, `-xy`, `-nNAME`, `-n NAME`.
    private mutating func takeShort(
        _ word: String, _ rest: inout ArraySlice<String>, _ options: [Option], _ command: String?
    ) throws(Failure) {
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            guard let option = short(letter, value: letters.isEmpty ? rest.first : String(letters), options) else {
                let near = nearest(to: String(word.dropFirst()), among: Self.names(options)).map { "--\($0)" }
                throw Self.unknown("-\(letter)", near: near, command)
            }
            if option.value == nil {
                given.append(Given(name: option.name, value: "", spelling: "-\(letter)"))
            } else if letters.isEmpty {
                try takeValue(option, "-\(letter)", &rest)
            } else {
                try give(option, String(letters), "-\(letter)")
                return
            }
        }
    }

    /// The option of a letter. A letter that has got another meaning keeps the former one where its value fits only that one: the value
    /// of the new one, `-n`, is a number.
    private mutating func short(_ letter: Character, value: String?, _ options: [Option]) -> Option? {
        let option = options.first { $0.short == letter }
        guard let former = options.first(where: { $0.formerShort == letter }), option == nil || value.map({ Int($0) == nil }) ?? false
        else { return option }
        let instead = former.short.map { " or -\($0)" } ?? ""
        remarks.append("-\(letter) for --\(former.name) will not work in a later release; write --\(former.name)\(instead)")
        return former
    }

    private mutating func takeValue(_ option: Option, _ spelling: String, _ rest: inout ArraySlice<String>) throws(Failure) {
        guard let value = rest.popFirst() else { throw .usage("\(spelling) needs \(option.value ?? "a value")") }
        try give(option, value, spelling)
    }

    /// Keeps a value. Every value passes here, so that every duration without a unit is refused where its unit is not obvious.
    private mutating func give(_ option: Option, _ value: String, _ spelling: String) throws(Failure) {
        // A whole number of at least `bareMillisecondsMin` is an instant, in milliseconds.
        let isInstant = Int64(value).map { $0 >= Instant.bareMillisecondsMin } ?? false
        if !isInstant, !option.isInSeconds, let spellings = BareNumber.spellings(of: value, for: option.name) {
            throw .invalid("\(spelling) \(value): the number has no unit; \(spellings)")
        }
        given.append(Given(name: option.name, value: value, spelling: spelling))
    }

    private static func names(_ options: [Option]) -> [String] { options.flatMap(\.names) }

    private static func unknown(_ option: String, near: String?, _ command: String?) -> Failure {
        let help = command.map { "spoolctl \($0) --help" } ?? "spoolctl --help"
        return .usage("unknown option \(option); \(near.map { "did you mean \($0)?" } ?? "see \(help)")")
    }
}
