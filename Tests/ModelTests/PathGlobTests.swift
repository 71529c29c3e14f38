@testable import Model
import TestSupport
import Testing

/// Patterns for the paths of files.
@Suite struct PathGlobTests {
    /// A pattern, paths that it matches, and paths that it does not match.
    static let patterns: [(pattern: String, takes: [String], leaves: [String])] = [
        (
            "/srv/in/*.csv", ["/srv/in/a.csv", "/srv/in/a b\n.csv", "/srv/in/[x].csv"],
            ["/srv/in/.csv", "/srv/in/a.CSV", "/srv/in/a/b.csv", "/srv/in/a.csv.tmp", "/srv/in"]),
        ("/srv/in/file", ["/srv/in/file"], ["/srv/in/files", "/srv/in/file/", "/srv/infile", "/srv/in/.file"]),
        ("/*", ["/a"], ["/", "/.a", "/a/b"]),
        ("/a?c/*", ["/abc/x", "/aéc/x", "/a\u{10FF80}c/x"], ["/ac/x", "/abbc/x", "/a/c/x"]),
        ("/a/?", ["/a/b"], ["/a/.", "/a/bb"]),
        ("/a/[a-c]x", ["/a/ax", "/a/cx"], ["/a/dx", "/a/Ax", "/a/-x"]),
        ("/a/[a-c-]", ["/a/-", "/a/b"], ["/a/d"]),
        ("/a/[]x]", ["/a/]", "/a/x"], ["/a/y"]),
        ("/a/[!x]", ["/a/y", "/a/!"], ["/a/x", "/a/."]),
        ("/a/[^0-9_]b", ["/a/xb"], ["/a/_b", "/a/5b"]),
        ("/a/[.]b", [], ["/a/.b"]),
        ("/a/[\\]-a]", ["/a/]", "/a/^", "/a/a"], ["/a/\\", "/a/b"]),
        ("/a/.*", ["/a/.x", "/a/."], ["/a/x"]),
        ("/a/\\*", ["/a/*"], ["/a/b"]),
        ("/a/\\[b", ["/a/[b"], ["/a/b"]),
        ("/a/**/b", ["/a/b", "/a/x/b", "/a/x/y/z/b"], ["/a/x/bb", "/b", "/a/.x/b", "/a/x/.y/b"]),
        ("/a/**", ["/a/b", "/a/x/y"], ["/a", "/b/x", "/a/.b", "/a/.x/y"]),
        ("/a/**/**/b", ["/a/b", "/a/x/b"], ["/a/x/c"]),
        ("/**/in/*.csv", ["/in/a.csv", "/x/y/in/a.csv", "/in/in/a.csv"], ["/in/x/a.csv"]),
        ("/a/*/c/**/d*", ["/a/b/c/d", "/a/b/c/x/y/dd"], ["/a/c/d", "/a/b/x/d"]),
        ("/a/**/.git/config", ["/a/.git/config", "/a/x/.git/config"], ["/a/.x/.git/config"]),
        // As in new/, a file with a temporary ending does not match, unless the pattern has that ending.
        (
            "/a/*", ["/a/f", "/a/tmp", "/a/~f", "/a/f.tmp.x"],
            ["/a/f~", "/a/f.tmp", "/a/f.part", "/a/f.swp", "/a/f.lock", "/a/.f.swp", "/a/~", "/a/.f"]),
        ("/a/f*", ["/a/f", "/a/f.locks"], ["/a/f~", "/a/f.lock"]),
        ("/a/**", ["/a/b", "/a/x.tmp/y"], ["/a/b~", "/a/x/b.part"]),
        ("/a/*.[tp]*", ["/a/b.txt"], ["/a/b.tmp", "/a/b.part"]),
        ("/a/*k", ["/a/k", "/a/b.ck"], ["/a/b.lock"]),
        ("/a/*.part", ["/a/b.part"], ["/a/b.tmp", "/a/.b.part"]),
        ("/a/*~", ["/a/b~"], ["/a/b"]), ("/run/app.lock", ["/run/app.lock"], ["/run/app"]),
        ("/a/*a*b*", ["/a/ab", "/a/xaxbx", "/a/aab"], ["/a/ba", "/a/b"]),
    ]

    @Test("U5: A pattern matches the paths that the shell would match", arguments: patterns)
    func matching(_ row: (pattern: String, takes: [String], leaves: [String])) throws {
        let glob = try PathGlob(row.pattern)
        for path in row.takes { #expect(glob.matches(path), "\(row.pattern) \(path)") }
        for path in row.leaves { #expect(!glob.matches(path), "\(row.pattern) \(path)") }
    }

    @Test("The deepest directory that contains all matching paths", arguments: [
        ("/srv/in/*.csv", "/srv/in"), ("/srv/in/file", "/srv/in"), ("/*", "/"), ("/file", "/"), ("/srv/**/x", "/srv"),
        ("/a\\*/b/?", "/a*/b"),
        ("/a/[b]/c", "/a"),
    ])
    func prefix(_ pattern: String, _ prefix: String) throws {
        #expect(try PathGlob(pattern).prefix == prefix)
    }

    @Test func aLongNameAndManyStarsTakeNoTime() throws {
        let stars = String(repeating: "*a", count: 100)
        let deep = String(repeating: "/**/a", count: 29)
        let name = String(repeating: "a", count: 250)
        #expect(try !PathGlob("/\(stars)*b").matches("/\(name)"))
        #expect(try PathGlob("/\(stars)*").matches("/\(name)"))
        #expect(try !PathGlob("\(deep)/b").matches(String(repeating: "/a", count: 2000)))
        #expect(try PathGlob("\(deep)/a").matches(String(repeating: "/a", count: 2000)))
    }

    /// Two spellings of one letter are two different names.
    @Test func twoSpellingsOfALetterAreTwoNames() throws {
        #expect(try PathGlob("/a/caf\u{E9}").matches("/a/caf\u{E9}"))
        #expect(try !PathGlob("/a/caf\u{E9}").matches("/a/cafe\u{301}"))
    }

    static let refused: [Refused] = [
        Refused(
            "on_path = \"srv/*.csv\"", #"3:12: on_path "srv/*.csv": a path begins with /; write the whole path, such as "/srv/in/*.csv""#),
        Refused("on_path = \"\"", #"3:12: on_path "": a path begins with /; write the whole path, such as "/srv/in/*.csv""#),
        Refused(
            "on_path = \"/srv/in/\"",
            #"3:19: on_path "/srv/in/": it ends in /, and names no file; /* at its end takes every file in the directory"#),
        Refused("on_path = \"/\"", #"3:12: on_path "/": it ends in /, and names no file; /* at its end takes every file in the directory"#),
        Refused("on_path = \"/srv//in\"", #"3:17: on_path "/srv//in": an empty name cannot be in the path of a file"#),
        Refused("on_path = \"/srv/../in\"", #"3:17: on_path "/srv/../in": a name of dots alone cannot be in the path of a file"#),
        Refused(
            "on_path = \"/srv/**.csv\"",
            #"3:17: on_path "/srv/**.csv": ** must be a whole name between two /; **/*.csv takes files at any depth"#),
        Refused("on_path = \"/srv/[ab\"", #"3:17: on_path "/srv/[ab": [ is not closed by ]; write \[ for a bracket"#),
        Refused("on_path = \"/srv/[a/b]\"", #"3:17: on_path "/srv/[a/b]": [ is not closed by ]; write \[ for a bracket"#),
        Refused("on_path = \"/srv/[]\"", #"3:17: on_path "/srv/[]": [ is not closed by ]; write \[ for a bracket"#),
        Refused("on_path = \"/srv/[z-a]\"", #"3:18: on_path "/srv/[z-a]": the range z-a ends before it begins"#),
        Refused(
            "on_path = \"/srv/[[:digit:]]\"",
            #"3:18: on_path "/srv/[[:digit:]]": classes such as [:digit:] are not known; write the range, [0-9]"#),
        Refused("on_path = '/srv/x\\'", #"3:18: on_path "/srv/x\": nothing follows \; write \\ for a backslash"#),
        Refused("on_path = 5", "3:11: on_path must be a string, not a whole number"),
        Refused("on_path = \"/a/*\"\npaths = \"one\"", #"4:9: paths must be one of each, all, not "one""#),
        Refused("cron = \"@daily\"\npaths = \"all\"", "4:1: paths needs on_path, which is missing"),
        Refused("on_path = \"/a/*\"\ncron = \"@daily\"", "3:11: cron and on_path in one schedule; write a [[schedule]] for each"),
        Refused(
            "on_path = \"/a/*\"\njitter = 5\ntimezone = \"UTC\"", "4:1: jitter has no meaning with on_path: a file is due when it arrives",
            "5:1: timezone has no meaning with on_path: a file is due when it arrives"),
        Refused(
            "on_path = \"/a/*\"\ndst_gap = \"run\"\nfrom = \"start\"",
            "4:1: dst_gap has no meaning with on_path: a file is due when it arrives", "5:1: from needs every, which is missing"),
    ]

    @Test("U5: A pattern that cannot be used is refused with its position", arguments: refused)
    func mistakes(_ row: Refused) {
        #expect(
            problems { _ = try TaskDefinition(name: "t", source: toml("command = \":\"\n[[schedule]]\n\(row.text)"), context) }
                == row.errors)
    }

    @Test func aScheduleThatWaitsForFiles() throws {
        func schedule(_ keys: String) throws -> ScheduleDefinition {
            try TaskDefinition(name: "t", source: toml("command = \":\"\n[[schedule]]\n\(keys)"), context).schedules[0]
        }
        let each = try schedule("on_path = \"/srv/in/*.csv\"\ncatch_up = \"none\"\nnot_before = \"2027-01-01T00:00:00Z\"\npayload = 7")
        #expect(each.expression == "on_path \"/srv/in/*.csv\"" && each.onPath?.paths == .each && each.recurrence.isEvent)
        #expect(each.recurrence.next(after: now, origin: now) == nil && !each.isNeverDue(after: now))
        let all = try schedule("on_path = \"/srv/in/*.csv\"\npaths = \"all\"")
        #expect(all.onPath?.paths == .all && all.id == each.id && all.isDueAlike(each))
        #expect(try schedule("on_path = \"/srv/in/*.txt\"").id != each.id)
        #expect(
            each.explanation(at: now).sentence
                == "When a file matching /srv/in/*.csv arrives, closed after writing or renamed in, each with a job of its own")
        #expect(PastedSchedule("/srv/in/*.csv").key == "on_path")
    }
}
