import Crontabs
import Testing

/// Lines that Debian's crontab(1) installs and refuses. EndToEndTests compares whole calls with Debian's program.
@Suite("Debian's check of a crontab")
struct DebianCheckTests {
    @Test(
        "What Debian's crontab installs is accepted",
        arguments: [
            "", "   ", "# c", "\t# c", "A=b", "A = b", "'A'='b' ", "\"A\" = \"=\"", "MAILTO=\"\"", "* * * * * x",
            "\t*/5 0-23/2 1,2,3 jan,Mar-DEC 7 x",
            "0 0 * * sun-sat x", "1-5,7-9/2 * * * * x", "@daily x", "@reboot\tx", "0 0 1 1 0 x % y", "5-3 * * * * x", "5;y * * * * x",
            "007 * * * * x", "* * * * * A=b",
        ])
    func accepted(_ line: String) { #expect(DebianCheck.refusal(of: Array(line.utf8)[...]) == nil) }

    @Test(
        "What Debian's crontab refuses is refused with its message",
        arguments: [
            ("x", "bad minute"), ("60 * * * * x", "bad minute"), ("-1 * * * * x", "bad minute"), ("1/5 * * * * x", "bad minute"),
            ("*/0 * * * * x", "bad minute"), ("1, * * * * x", "bad minute"), ("0-60 * * * * x", "bad minute"), ("A=", "bad minute"),
            ("A='b", "bad minute"), ("A='b' c", "bad minute"), ("'A=b'=c", "bad minute"), ("99999999999999999999 * * * * x", "bad minute"),
            ("0", "bad hour"), ("0 24 * * * x", "bad hour"), ("0 0 0 * * x", "bad day-of-month"), ("0 0 32 * * x", "bad day-of-month"),
            ("0 0 * 0 * x", "bad month"), ("0 0 * january * x", "bad month"), ("0 0 * * 8 x", "bad day-of-week"),
            ("0 0 * *", "bad day-of-week"), ("0 0 * * *", "bad command"), ("0 0 * * * * x", "bad command"), ("@daily", "bad command"),
            ("@Daily x", "bad time specifier"), ("@every 5m x", "bad time specifier"), ("@ x", "bad time specifier"),
        ])
    func refused(_ line: String, _ message: String) { #expect(DebianCheck.refusal(of: Array(line.utf8)[...]) == message) }
}
