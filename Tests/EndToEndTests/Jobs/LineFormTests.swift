import Glibc
import Linux
import Testing

/// Every reader of lines with every form of text: it reads the text that was meant, or refuses it with its line.
@Suite("Line ends, byte order marks and encodings", .ownThreads)
struct LineFormTests {
    enum Reader: String, CaseIterable, Sendable { case crontab, environment, lines, header, task, at }
    enum Form: String, CaseIterable, Sendable {
        case lf, crlf, noLastEnd, mark, latin1, utf16, cr

        func bytes(_ text: String) -> [UInt8] {
            // In Latin-1 é is one byte.
            let latin1 = text.unicodeScalars.map { UInt8($0.value) }
            let bytes = Array(text.utf8)
            return switch self {
            case .lf: bytes
            case .crlf: bytes.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
            case .noLastEnd: Array(bytes.dropLast())
            case .mark: [0xEF, 0xBB, 0xBF] + bytes
            case .latin1: latin1
            case .utf16: latin1.flatMap { [$0, 0] }
            case .cr: bytes.map { $0 == 0x0A ? 0x0D : $0 }
            }
        }
    }

    /// The output of `printf` for the text `é=1`, or the beginning of the error.
    enum Outcome: Sendable {
        case utf8, latin1
        case refused(String)
    }

    static func outcome(_ reader: Reader, _ form: Form) -> Outcome {
        switch (reader, form) {
        // The kernel finds no interpreter of such a script.
        case (.header, .crlf): .refused("1:10: the first line ends with CR LF")
        case (.header, .mark), (.header, .utf16): .refused("expected NAME.toml, NAME.json, or an executable script that begins with #!")
        case (.at, .mark), (.at, .utf16): .refused("it ")
        case (.at, .crlf), (.at, .cr): .refused("the first line ends with CR")
        case (.lines, .latin1): .refused(":2:8: the line contains the byte 0xE9, which is not UTF-8")
        case (.task, .latin1): .refused("2:9: the text is not UTF-8: byte 0xE9")
        case (.environment, .utf16): .refused("line 1: the file looks like UTF-16")
        case (.environment, .cr): .refused("line 1: the lines end with CR alone")
        case (_, .utf16): .refused(":1:1: the file looks like UTF-16")
        case (_, .cr): .refused("the lines end with CR alone")
        case (_, .latin1): .latin1
        default: .utf8
        }
    }

    @Test("Every reader of lines", arguments: Reader.allCases, Form.allCases)
    func reads(_ reader: Reader, _ form: Form) throws {
        let spool = try SpoolUnderTest()
        let file = "\(spool.base)/file"
        let out = "\(spool.out)/got"
        func write(_ text: String, mode: mode_t = 0o644) throws { try Files.write(file, form.bytes(text), mode: mode) }
        var result: CtlResult
        switch reader {
        case .crontab:
            try write("MAILTO=\"\"\n0 1 * * * printf é=1 > \(out)\n")
            result = try spool.ctl("import", "crontab", file)
            if result.code == 0 { result = try spool.ctl("run", "printf", "-w") }
        case .environment:
            try write("# Ours\nOWN=é=1\n")
            result = try spool.ctl("submit", "-w", "--env-file", file, "--", "sh", "-c", "printf \"$OWN\" > \(out)")
            if result.code != 0 { result.errors = try spool.ctl("status", result.id).output }
        case .lines:
            try write(": one\nprintf é=1 > \(out)\n")
            result = try spool.ctl("submit", "-w", "--lines", file)
        case .header:
            // The first line has only the name of the interpreter.
            try write("#!/bin/sh\n#SPOOL env.OWN = \"1\"\nprintf é=$OWN > \(out)\n", mode: 0o755)
            result = try spool.ctl("submit", "-w", "--file", file)
        case .task:
            let name = "\(spool.path)/tasks/t.toml"
            try Files.write(name, form.bytes("script = '''\nprintf 'é=1' > \(out)\nexit 0\n'''\n"))
            result = try spool.ctl("check")
            if result.code == 0 { result = try spool.ctl("run", "t", "-w") } else { result.errors = result.output + result.errors }
        case .at:
            try Files.makeDirectory("\(spool.base)/at")
            let text = ImportAtTests.file("printf é=1 > \(out) #", mail: "root -1")
            try Files.write("\(spool.base)/at/a0000100000001", form.bytes(text), mode: 0o700)
            result = try spool.ctl("import", "at", "--dir", "\(spool.base)/at")
            if result.code == 0 { result = try spool.ctl("wait", result.lines[0]) }
        }
        switch Self.outcome(reader, form) {
        case .refused(let error):
            #expect(result.code != 0 && result.errors.contains(error), "\(result.code) \(result.output)\(result.errors)")
        case .utf8, .latin1:
            #expect(result.code == 0, "\(result.output)\(result.errors)")
            let expected = form == .latin1 ? [0xE9] + Array("=1".utf8) : Array("é=1".utf8)
            #expect(try Files.bytes(out) == expected)
        }
    }

    @Test("A journal whose line ends were converted is refused with its file and line, and not read in part", arguments: ["crlf", "mark"])
    func journal(_ form: String) throws {
        let spool = try SpoolUnderTest()
        #expect(try spool.ctl("submit", "-w", "--", "true").code == 0)
        try spool.stop()
        let name = try #require(try Files.list("\(spool.path)/journal").last { $0.hasSuffix(".log") })
        let path = "\(spool.path)/journal/\(name)"
        let bytes = try Files.bytes(path)
        try Files.write(path, form == "mark" ? [0xEF, 0xBB, 0xBF] + bytes : bytes.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }, mode: 0o600)
        let check = try spool.ctl("fsck")
        #expect(check.code != 0 && (check.output + check.errors).contains("journal/\(name):1"), "\(check.output)\(check.errors)")
    }
}
