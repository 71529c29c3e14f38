// The pure parts of the executor ssh: names of hosts, settings, the choice of a host, the answers of the other side.

import Documents
import Executors
import Testing

private func table(_ json: String) -> Table { JSON.readableTable(Array(json.utf8))! }

@Suite("Hosts of the executor ssh")
struct FarHostTests {
    @Test(
        "Names, addresses and aliases are hosts",
        arguments: ["build1", "ci@build1.example.org", "10.0.0.1", "fe80::1%eth0", "a_b-c", "_"])
    func names(_ text: String) { #expect(HostName(text)?.text == text) }

    @Test(
        "What ssh or a shell could read otherwise is no host",
        arguments: [
            "", "-oProxyCommand=x", "a@-x", "-a@b", "@b", "a@", "a@b@c", "a b", "a\nb", "a;b", "$(a)", "a/b", "a'b", "ü",
            String(repeating: "a", count: 256),
        ])
    func noNames(_ text: String) { #expect(HostName(text) == nil) }

    @Test("The host with the least of its slots in use is taken, and no full or silent one")
    func choice() throws {
        let (one, two, three) = (try #require(HostName("one")), try #require(HostName("two")), try #require(HostName("three")))
        var choice = HostChoice(slots: [one: 2, two: 4], used: [one: 1])
        #expect((0..<5).map { _ in choice.choose(among: [one, two]) } == [.host(two), .host(two), .host(one), .host(two), .host(two)])
        #expect(choice.choose(among: [one, two]) == .full)
        #expect(choice.choose(among: [one, two, three]) == .host(three), "a host without a number of slots is never full")
        choice.isAway(three)
        #expect(choice.choose(among: [two, three]) == .away)
        choice.isAway(two)
        #expect(choice.choose(among: [two]) == .away, "the job that was counted there is not")
    }

    @Test("Places are read as they were written, and nothing else is a place")
    func places() throws {
        let host = try #require(HostName("ci@build1"))
        let directory = try #require(FarPlace.directory(id: "20261121T020000.001Z-a.b-34fg24", attempt: 12, random: 0xABC))
        #expect(directory == "20261121T020000.001Z-a.b-34fg24.12.00000abc")
        #expect(FarPlace.run(ofDirectory: directory)?.id == "20261121T020000.001Z-a.b-34fg24")
        #expect(FarPlace.run(ofDirectory: directory)?.attempt == 12)
        for boot in [nil, "b-1"] {
            let place = FarPlace(host: host, directory: directory, home: "h", boot: boot, outputLimit: 7)
            #expect(FarPlace(place.text) == place)
            #expect(FarPlace(String(place.text.dropLast())) == nil, "cut off")
        }
        for text in ["", "\n", FarPlace.canceled, "h ../x h - 0\n", "-h a h - 0\n", "h a h - -1\n", "h .a h - 0\n"] {
            #expect(FarPlace(text) == nil, "\(text)")
        }
        #expect(FarPlace.directory(id: "../x", attempt: 1, random: 0) == nil)
    }

    @Test("Settings")
    func settings() throws {
        let settings = try SSHSettings(table(#"{"hosts":{"a":1,"b":2},"options":["Port=2222"],"reuse":"5m","config":"/c","slots":3}"#))
        let host = try #require(HostName("a"))
        #expect(settings.hosts.count == 2 && settings.hosts[host] == 1 && settings.reuseSeconds == 300)
        let words = settings.arguments(for: host, controlDirectory: "/tmp/d")
        #expect(words.suffix(2) == ["--", "a"])
        #expect(words.contains("BatchMode=yes") && words.contains("ForwardAgent=no") && words.contains("ControlPersist=300"))
        // ssh takes the first value: a call's own come before the configured, and those before the better defaults.
        #expect(words.firstIndex(of: "BatchMode=yes")! < words.firstIndex(of: "Port=2222")!)
        #expect(words.firstIndex(of: "Port=2222")! < words.firstIndex(of: "ConnectTimeout=10")!)
        #expect(!settings.arguments(for: host, controlDirectory: nil).contains { $0.hasPrefix("Control") })
        #expect(try SSHSettings(table(#"{"hosts":["a"]}"#)).hosts[host] == .some(nil))
    }

    @Test(
        "Wrong settings are refused",
        arguments: [
            #"{"hosts":{"-a":1}}"#, #"{"hosts":{"a":0}}"#, #"{"hosts":"a"}"#, #"{"hosts":[1]}"#, #"{"config":"c"}"#,
            #"{"options":"Port=1"}"#, #"{"options":["A=b\nC=d"]}"#, #"{"options":["-x"]}"#, #"{"reuse":"5x"}"#, #"{"reuse":"0s"}"#,
            #"{"reuse":true}"#, #"{"reuse":"2000h"}"#,
        ])
    func wrong(_ json: String) { #expect(throws: SSHSettings.Mistake.self) { try SSHSettings(table(json)) } }

    @Test("Paths of the job's directory and of the home become those of the other side")
    func moved() {
        let run = Run(id: "i", attempt: 1, name: "n", directory: "/spool/running/i")
        var item = Submission(run: run, arguments: ["/spool/running/i/job", "/spool/running/ix", "x"], workingDirectory: "/home/a/p")
        item.environment = ["HOME=/home/a", "USER=a", "LOGNAME=b", "D=/spool/running/i", "PATH=/bin"]
        item.input = "/spool/running/i/stdin"
        let moved = FarSurroundings(directory: "/root/.spoold/d", home: "/root", user: "root").moved(item, home: "/home/a", user: "a")
        #expect(moved.arguments == ["/root/.spoold/d/job", "/spool/running/ix", "x"])
        #expect(moved.environment == ["HOME=/root", "USER=root", "LOGNAME=b", "D=/root/.spoold/d", "PATH=/bin"])
        #expect(moved.input == "/root/.spoold/d/stdin" && moved.workingDirectory == "/root/p")
    }
}

@Suite("Answers of the other side")
struct FarAnswersTests {
    private let hello = "m hello 1 100 boot - root /root/.spoold\n"

    @Test("Whatever the cuts between reads are, the answers are the same", arguments: [1, 2, 3, 7, 1000])
    func cuts(_ count: Int) throws {
        var answers = FarAnswers(mark: "m")
        let text = "Welcome\nm\nmm hello 1 2 3 4 5 6\n" + hello + "m 1 made name\nm 2 data 4 9\na\nb\n\nm 3 data 0 -\n\nm 4 absent\n"
        var all: [FarAnswers.Answer] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            all += try answers.take(rest.prefix(count))
            rest = rest.dropFirst(count)
        }
        #expect(
            all == [
                .hello(FarAnswers.Hello(version: 1, clock: 100, boot: "boot", home: nil, user: "root", base: "/root/.spoold")),
                .line(number: 1, words: ["made", "name"]), .data(number: 2, bytes: Array("a\nb\n".utf8), size: 9),
                .data(number: 3, bytes: [], size: nil), .line(number: 4, words: ["absent"]),
            ])
    }

    @Test(
        "After the greeting, anything but an answer is the end of trust",
        arguments: [
            "motd\n", "m x y\n", "m 1\n", "m 1 data 5 5\nab\nm 2 absent\n", "m 1 data 3 3\nabcm 2\n", "m 1 data -1 3\n",
            "m 1 data 2000000 3000000\n", "m 1 data 3 -5\nabc\n",
            "m 1 data 20 20\nab\nm 2 absent\nm 3 x\nabc\n",
        ])
    func strange(_ text: String) {
        #expect(throws: FarAnswers.Strange.self) {
            var answers = FarAnswers(mark: "m")
            _ = try answers.take(Array((hello + text).utf8))
        }
    }

    @Test("A greeting with a time that no clock can show is not understood", arguments: ["-1", "9223372036854775807", "1099511627777"])
    func clocks(_ clock: String) {
        #expect(throws: FarAnswers.Strange.self) {
            var answers = FarAnswers(mark: "m")
            _ = try answers.take(Array("m hello 1 \(clock) boot - root /root/.spoold\n".utf8))
        }
    }

    @Test("Noise before the greeting has a limit")
    func noise() throws {
        var answers = FarAnswers(mark: "m")
        let chunk = [UInt8](repeating: UInt8(ascii: "y"), count: 100_000)
        for _ in 0..<8 { #expect(try answers.take(chunk).isEmpty) }
        #expect(throws: FarAnswers.Strange.self) { for _ in 0..<8 { _ = try answers.take(chunk) } }
    }
}
