import Glibc
import Linux
import Testing

/// Programs of another version wrote this spool. spoold leaves every file unchanged, including its times to the nanosecond.
@Suite("Formats", .ownThreads)
struct FormatTests {
    /// Every name below a directory, with attributes that show a change.
    private static func traces(_ path: String) throws -> [String] {
        let own = try Files.status(path)
        let line = "\(path) \(own.kind) \(own.size) \(own.inode) \(own.modifiedNanoseconds) \(own.changedNanoseconds)"
        guard own.kind == .directory else { return [line, "\(try Files.bytes(path))"] }
        return try [line] + Files.list(path).flatMap { try traces("\(path)/\($0)") }
    }

    static let uses: [[String]] = [[], ["--standby"], ["--check"]]

    private static func expectRefusal(_ spool: SpoolUnderTest, saying parts: [String]) throws {
        let before = try traces(spool.path)
        for use in uses {
            let daemon = try Commands.run(
                "\(SpoolUnderTest.programs)/spoold", ["--spool", spool.path, "--config", spool.configuration] + use)
            #expect(daemon.code == 1, "\(use)")
            for part in parts + ["use the spoold that wrote it"] { #expect(daemon.error.contains(part), "\(use): \(daemon.error)") }
            #expect(try traces(spool.path) == before, "\(use)")
        }
    }

    @Test(
        "N2: Attack 78: a spool of a newer, older or unknown format is refused, and nothing in it changes",
        arguments: ["spoold spool format 2\n", "spoold spool format 0\n", "spoold spool format 1", "\0"]
    )
    func spool(_ format: String) throws {
        let spool = try SpoolUnderTest()
        _ = try spool.run("command = [\"true\"]")
        try spool.stop()
        try spool.drop("job.toml", "command = [\"true\"]")
        // A directory that is missing in another format must not be created.
        try Files.removeTree("\(spool.path)/state/unique")
        try Files.write("\(spool.path)/state/format", format)
        try Self.expectRefusal(spool, saying: ["spoold spool format 1"])
        let before = try Self.traces(spool.path)
        #expect(try spool.ctl("submit", "--", "true").code == 1)
        #expect(try spool.ctl("status").code == 1)
        #expect(try Self.traces(spool.path) == before)
        try Files.write("\(spool.path)/state/format", "spoold spool format 1\n")
        try spool.start()
        #expect(try spool.ended(count: 2).allSatisfy { $0.outcome == "done 0" })
    }

    @Test("N2: Attack 78: a journal of another format is refused and nothing in the spool changes")
    func journal() throws {
        let spool = try SpoolUnderTest()
        _ = try spool.run("command = [\"true\"]")
        try spool.stop()
        let journal = try #require(try spool.journalFiles.last)
        let text = try Files.text(journal)
        let header = try #require(text.split(separator: "\n").first)
        #expect(header.contains(" segment ") && header.contains(" format=3 "), "\(header)")
        let rest = String(header.dropFirst(8).replacing(" format=3 ", with: " format=4 "))
        try Files.write(journal, "\(Self.checksum(rest))\(rest)\nwhatever stands here then\n", mode: 0o600)
        try spool.drop("job.toml", "command = [\"true\"]")
        try Self.expectRefusal(spool, saying: ["journal format 4"])
        try Files.write(journal, text, mode: 0o600)
        try spool.start()
        #expect(try spool.ended(count: 2).allSatisfy { $0.outcome == "done 0" })
    }

    @Test("N2: Attack 78: a journal of an earlier format is read, and continued in a segment of the present format", arguments: [1, 2])
    func olderJournal(_ older: Int) throws {
        let spool = try SpoolUnderTest()
        let gate = try spool.jobAtGate()
        try spool.stop()
        let journal = try #require(try spool.journalFiles.last)
        let text = try Files.text(journal)
        let header = String(try #require(text.split(separator: "\n").first))
        let rest = String(header.dropFirst(8).replacing(" format=3 ", with: " format=\(older) "))
        try Files.write(journal, "\(Self.checksum(rest))\(rest)" + text.dropFirst(header.count), mode: 0o600)
        try spool.start()
        try gate.release()
        #expect(try spool.ended(count: 1)[0].outcome == "failed exit 3")
        let newest = try #require(try spool.journalFiles.last)
        #expect(newest != journal)
        #expect(try Files.text(newest).split(separator: "\n")[0].contains(" format=3 "))
        #expect(try spool.ctl("fsck").code == 0)
    }

    /// CRC-32C bit by bit, as in RFC 3720.
    static func checksum(_ text: String) -> String {
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in text.utf8 {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        let digits = String(~crc, radix: 16)
        return String(repeating: "0", count: 8 - digits.count) + digits
    }

    @Test("spoold --check accepts a spool of a known format, served or not, and a missing one, and changes nothing")
    func check() throws {
        let spool = try SpoolUnderTest()
        func check(_ path: String) throws -> Commands.Result {
            try Commands.run("\(SpoolUnderTest.programs)/spoold", "--check", "--spool", path, "--config", spool.configuration)
        }
        let served = try check(spool.path)
        #expect(served.code == 0 && served.output.hasPrefix("spoold "), "\(served.error)")
        try spool.stop()
        let before = try Self.traces(spool.path)
        #expect(try check(spool.path).code == 0)
        #expect(try Self.traces(spool.path) == before)
        #expect(try check("\(spool.base)/missing").code == 0)
        #expect(!Files.exists("\(spool.base)/missing"))
    }

    @Test(
        "The daemon and spoolctl refuse a directory that has files and is not a spool, and nothing in it changes",
        arguments: [
            ["etc", "usr"], [".bashrc"], ["new", "cur", "tmp"],
        ]
    )
    func noSpool(_ names: [String]) throws {
        let spool = try SpoolUnderTest(starting: false)
        let path = "\(spool.base)/other"
        try Files.makeDirectory(path)
        for name in names { try Files.makeDirectory("\(path)/\(name)") }
        let before = try Self.traces(path)
        let other = try #require(names.filter { $0 != "new" && $0 != "tmp" }.min())
        for use in Self.uses {
            let daemon = try Commands.run("\(SpoolUnderTest.programs)/spoold", ["--spool", path, "--config", spool.configuration] + use)
            #expect(
                daemon.code == 1 && daemon.error.contains("\(path): the directory is no spool and not empty: it holds \"\(other)\""),
                "\(use): \(daemon)")
        }
        let ctl = try Commands.run("\(SpoolUnderTest.programs)/spoolctl", ["--spool", path, "submit", "--", "true"])
        #expect(ctl.code == 1 && ctl.error.contains("the directory is no spool"), "\(ctl)")
        #expect(try Self.traces(path) == before)
    }

    @Test("A new file system, the rest of a first start after a power cut, and a spool without its state/ are accepted", arguments: [
        ["lost+found"], ["new", "tmp"], ["journal", "running", "new", "notes.txt"],
    ])
    func isSpool(_ names: [String]) throws {
        let spool = try SpoolUnderTest(starting: false)
        try Files.removeTree(spool.path)
        try Files.makeDirectory(spool.path)
        for name in names { try Files.makeDirectory("\(spool.path)/\(name)") }
        try spool.start()
        #expect(try spool.runsOn())
    }
}
