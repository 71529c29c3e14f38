import Model
import TestSupport
import Testing

/// The keys `user` and `group`.
@Suite struct RunAsTests {
    @Test("Digits alone are a number, anything else a name", arguments: [
        ("0", Account.number(0)), ("33", .number(33)), ("4294967294", .number(4_294_967_294)), ("0day", .name("0day")),
        ("33x", .name("33x")),
        ("www-data", .name("www-data")), ("DOMAIN\\user", .name("DOMAIN\\user")), ("root", .name("root")),
    ])
    func accounts(text: String, account: Account) { #expect(Account(text) == account) }

    @Test("A text that could be mistaken for a user is refused", arguments: [
        "", "00", "0033", "4294967295", "4294967296", "99999999999999999999", "-1", "-", "a:b", "a,b", "a/b", "a b", "a\nb", " 0", "\u{0}",
        String(repeating: "a", count: 257),
    ])
    func refused(text: String) { #expect(Account(text) == nil) }

    private static let owner = SpoolOwner(user: 1000, userName: "alice", group: 1000, groupName: "staff")

    private func read(_ keys: String, owner: SpoolOwner?) -> String {
        var own = context
        own.owner = owner
        do throws(Problems) {
            let definition = try JobDefinition.read(try Source(format: .toml, bytes: Array("command = \"x\"\n\(keys)".utf8)).table(), own)
            return "\(definition.user.map { "\($0)" } ?? "-") \(definition.group.map { "\($0)" } ?? "-")"
        } catch {
            return "\(error)"
        }
    }

    @Test("Root's jobs run as any user, and others' jobs only as their owner", arguments: [
        (
            "user = \"bob\"\ngroup = 4", "bob 4",
            """
            2:8: user: only root's own jobs may run as another user; those of this spool run as alice\n\
            3:9: group: only root's own jobs may run with another group; those of this spool run with staff
            """),
        ("user = \"alice\"\ngroup = \"staff\"", "alice staff", "alice staff"),
        ("user = 1000\ngroup = \"1000\"", "1000 1000", "1000 1000"),
        ("user = \"root\"", "root -", "2:8: user: only root's own jobs may run as another user; those of this spool run as alice"),
        ("", "- -", "- -"),
    ])
    func owners(keys: String, ofRoot: String, ofAlice: String) {
        #expect(read(keys, owner: nil) == ofRoot)
        #expect(read(keys, owner: Self.owner) == ofAlice)
    }
}
