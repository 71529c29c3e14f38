import Linux
import Testing

/// crontab(1) and Debian's crontab are called with the same arguments, one after the other on machines of their own.
@Suite("crontab beside Debian's", .ownThreads)
struct CrontabTranscriptTests {
    /// A call by games or, for nil, by root; and what is put on standard input.
    struct Call {
        var line: String
        var user: TestUser?
        var input = ""

        init(_ line: String, _ input: String = "", by user: TestUser? = .games) {
            self.line = line
            self.user = user
            self.input = input
        }
    }

    static let good = "# mine\nMAILTO=\"\"\n*/5 * * * * echo 'a % b' | cat\n@daily /bin/true\n"

    /// The calls whose output, error output and exit code are Debian's.
    static let calls: [Call] = [
        Call("crontab -l"), Call("crontab -r"), Call("crontab -i -r"), Call("crontab -h"), Call("crontab -x"), Call("crontab -u"),
        Call("crontab -l -r"), Call("crontab -e -l"), Call("crontab -l file"), Call("crontab -n"), Call("crontab -i"),
        Call("crontab -u games"),
        Call("crontab -"), Call("crontab -l"), Call("crontab", good), Call("crontab -l"), Call("crontab -l | crontab -; crontab -l"),
        Call("crontab -l | sed 's/daily/weekly/' | crontab -; crontab -l"), Call("crontab -n -", good), Call("crontab -n -", "x\n"),
        Call("crontab no-such-file"), Call("crontab /"), Call("crontab /etc/shadow"),
        Call("printf '1 2 * * * a\\n' > t; crontab t; crontab -l"),
        Call("crontab -n t"), Call("crontab t more operands; crontab -l"), Call("crontab -u games t"), Call("crontab t -u games"),
        Call("crontab -u root -l"), Call("crontab -u root t"), Call("crontab -u nobody-at-all -l"), Call("crontab -- t"),
        Call("crontab - ", "* * * * * no newline"), Call("crontab -", "# comment\n# without newline"), Call("crontab -l"),
        Call("crontab -", "*/5 * * * * \u{8}x \u{D}y\n"), Call("crontab -l"), Call("CRONTAB_NOHEADER=Y crontab -l"),
        Call("crontab -i -r", "maybe\nn\n"), Call("crontab -l"), Call("crontab -ir", "Yes\n"), Call("crontab -l"),
        Call("crontab -", "@reboot a\n@hourly b\n@midnight c\n@annually d\n@yearly e\n@monthly f\n@weekly g\n"), Call("crontab -l | wc -l"),
        Call("crontab -", "0 0 1,15 jan-mar,DEC sun,1-5/2 x\n 5-10/2\t*/6 * * 7 y\n"), Call("crontab -r; echo $?"),
        Call("crontab -", "A=1\nB = 'two words'\n\"C\" = \"x=y\"\n# c\n\n   \n\t# d\n0 0 * * * x\n"), Call("crontab -l"),
        Call("crontab -", String(repeating: "# line\n", count: 10_000)), Call("crontab -l | wc -l"),
        Call("crontab -", String(repeating: "# line\n", count: 10_001)), Call("crontab -l | wc -l"),
        Call("crontab -", "0 0 * * * \(String(repeating: "x", count: 998))\n"), Call("EDITOR=true crontab -e"),
        Call("EDITOR=false crontab -e"),
        Call("EDITOR='kill -9 $$; x' crontab -e"), Call("crontab -r"), Call("EDITOR=cat crontab -e"), Call("crontab -l"),
        Call("EDITOR='rm -f' crontab -e"), Call("VISUAL=true EDITOR=false crontab -e"), Call("VISUAL= EDITOR=true crontab -e"),
        Call("crontab -u games -", good, by: nil), Call("crontab -u games -l", by: nil), Call("crontab -l"), Call("crontab -l", by: nil),
        Call("crontab -u games -r", by: nil), Call("crontab -u games -l", by: nil), Call("crontab -", good, by: nil),
        Call("crontab -l", by: nil),
        Call("echo root > /etc/cron.allow", by: nil), Call("crontab -l"), Call("crontab -", good), Call("crontab -u games -l", by: nil),
        Call("printf 'daemon\\ngames\\n' > /etc/cron.allow; echo games > /etc/cron.deny", by: nil), Call("crontab -l"),
        Call("rm /etc/cron.allow", by: nil), Call("crontab -l"), Call("crontab -e"), Call("echo root > /etc/cron.deny", by: nil),
        Call("crontab -l"), Call("crontab -l", by: nil), Call("chmod 600 /etc/cron.deny", by: nil), Call("crontab -l"),
        Call("rm /etc/cron.deny", by: nil), Call("mv /var/spool/cron/crontabs /var/spool/cron/x; crontab -l", by: nil),
        Call("rmdir /var/spool/cron/crontabs; mv /var/spool/cron/x /var/spool/cron/crontabs", by: nil), Call("crontab -l"),
    ]

    /// Names that are different in each run: those of temporary files.
    static func settled(_ text: String) -> String {
        var settled = ""
        for part in text.split(separator: "/tmp/crontab.", omittingEmptySubsequences: false).enumerated() {
            settled += part.offset == 0 ? String(part.element) : "/tmp/crontab.??????\(part.element.dropFirst(6))"
        }
        return settled
    }

    /// The answer of a machine to a call: its code, output and errors, and the lines in the system's log.
    private func answer(_ machine: CronMachine, _ call: Call) throws -> (result: Commands.Result, logged: [String]) {
        let result = try machine.run(call.line, as: call.user, input: call.input)
        return (
            Commands.Result(code: result.code, output: Self.settled(result.output), error: Self.settled(result.error)), machine.logged()
        )
    }

    /// Debian's crontab looks at the time of its temporary file in whole seconds, before its own text has reached that file. If a second
    /// ends between the two, it installs what no editor has changed. So Debian's is asked again, from the crontabs that it had, while its
    /// answer to an edit is not `ours`: a second does not end there in each of ten calls.
    private func answer(
        ofDebians theirs: CronMachine, _ call: Call, unlike ours: (result: Commands.Result, logged: [String])
    ) throws -> (result: Commands.Result, logged: [String]) {
        let edits = call.line.contains("crontab -e")
        let kept = "\(theirs.base)/kept"
        if edits { try Commands.succeed("cp", "-a", theirs.crontabs, kept) }
        defer { if edits { try? Files.removeTree(kept) } }  // the machine's directory is removed with it
        var theirAnswer = try answer(theirs, call)
        for _ in 1..<10 where edits && theirAnswer != ours {
            try Files.removeTree(theirs.crontabs)
            try Commands.succeed("cp", "-a", kept, theirs.crontabs)
            theirAnswer = try answer(theirs, call)
        }
        return theirAnswer
    }

    @Test("C2: crontab's output, errors and exit codes are those of Debian's crontab", .enabled(if: CronMachine.isHere, CronMachine.reason))
    func transcript() throws {
        let (theirs, ours) = (try CronMachine(.debians), try CronMachine())
        #expect(Self.calls.count >= 60)
        for call in Self.calls {
            let got = try answer(ours, call)
            let expected = try answer(ofDebians: theirs, call, unlike: got)
            #expect(
                got.result == expected.result,
                """
                \(call.line), input \(call.input.prefix(60))
                Debian's: \(expected.result.code)\n\(expected.result.output)\(expected.result.error)
                ours: \(got.result.code)\n\(got.result.output)\(got.result.error)
                """)
            #expect(got.logged == expected.logged, "\(call.line)")
        }
    }
}
