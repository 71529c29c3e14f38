import Glibc
import TestSupport
import Testing

@testable import Store

@Suite struct JournalLineTests {
    @Test func everyRecordIsOneLineAndComesBackAsItWas() throws {
        for record in try everyRecord() {
            let line = bytes(of: record)
            #expect(line.last == 0x0A && line.filter { $0 == 0x0A }.count == 1, "\(record)")
            let read = try #require(fields(Array(line.dropLast())), "\(record)")
            #expect(read.sequence == 17 && read.at == now)
            let again = try #require(read.record(context), "\(record)")
            #expect("\(again)" == "\(record)")
            #expect(bytes(of: again) == line)
        }
    }

    @Test func theFormIsTheOneThatIsDocumented() {
        let text = String(decoding: bytes(of: .started(JobID(instant: now, name: "a", unique: 0), attempt: 3)), as: UTF8.self)
        #expect(text.dropFirst(8) == " 17 2026-11-21T02:00:00.000Z started id=20261121T020000.000Z-a-000000 try=3\n")
        var line = JournalLine()
        line.append(.paused(.all, note: "a \"b\"\\\n\t\r\u{1}é"), sequence: 1, at: now)
        #expect(
            String(decoding: line.bytes, as: UTF8.self).dropFirst(8)
                == " 1 2026-11-21T02:00:00.000Z paused scope=pause note=\"a \\\"b\\\"\\\\\\n\\t\\r\\x01é\"\n")
    }

    @Test func aLineOfAnotherKindIsReadAndNotUnderstood() throws {
        var line = JournalLine()
        line.begin(sequence: 1, at: now, "promoted")
        line.field("id", "x")
        line.end()
        let read = try #require(fields(Array(line.bytes.dropLast())))
        #expect(read.kind == "promoted" && read["id"] == "x" && read.record(context) == nil)
    }

    /// These lines have a valid checksum, so only their form is wrong.
    static let malformed = [
        "", " ", "x 2026-11-21T02:00:00.000Z started", "1 2026-11-21T02:00:00Z started", "1 2026-11-21T02:00:00.000Z",
        "1 2026-11-21T02:00:00.000Z started id=\"x", "1 2026-11-21T02:00:00.000Z started id=\"x\\", "-1 2026-11-21T02:00:00.000Z started",
        "99999999999999999999 2026-11-21T02:00:00.000Z started", "1 2026-11-21T02:00:00.000Z started id=\"\\xZZ\"",
        // A number after these would overflow.
        "18446744073709551615 2026-11-21T02:00:00.000Z daemon-stopped", "9223372036854775807 2026-11-21T02:00:00.000Z daemon-stopped",
    ]

    @Test(arguments: malformed) func aLineOfAnotherFormIsDamage(text: String) {
        #expect(fields(sealed(text)) == nil)
    }

    /// Records whose fields make no sense.
    static let senseless = [
        "started id=x try=1", "started try=1", "started id=20261121T020000.000Z-a-000000 try=one",
        "ended id=20261121T020000.000Z-a-000000 try=1 state=lost", "started id=20261121T020000.000Z-a-000000 try=9223372036854775807",
        "started id=20261121T020000.000Z-a-000000 try=-1", "ended id=20261121T020000.000Z-a-000000 try=9223372036854775807 state=new",
        "stopping id=20261121T020000.000Z-a-000000 why=bored",
        "paused scope=../x note=", "paused scope=pause@ note=x", "defined file=tasks/t format=yaml source=x", "resumed", "skipped task=t",
        """
        accepted id=20261121T020000.000Z-a-000000 name=a due=2026-11-21T02:00:00.000Z created=2026-11-21T02:00:00.000Z \
        start=2026-11-21T02:00:00.000Z format=toml source=tries=x
        """,
    ]

    @Test(arguments: senseless) func aRecordWithoutSenseIsNone(text: String) throws {
        let read = try #require(fields(sealed("1 2026-11-21T02:00:00.000Z \(text)")))
        #expect(read.record(context) == nil)
    }

    /// Each pair means the same: the first line leaves out what the rest of the line tells.
    static let leftOut = [
        (
            "accepted id=20261121T015900.000Z-a-000000 ago=2 source=command=x",
            """
            accepted id=20261121T015900.000Z-a-000000 name=a due=2026-11-21T01:59:00.000Z created=2026-11-21T01:59:59.998Z \
            start=2026-11-21T01:59:00.000Z format=toml source=command=x
            """
        ),
        (
            "accepted id=20261121T015900.000Z-a-000000 due=2026-11-20T00:00:00.000Z file=a inode=1 mtime=3 ago=0 format=json source={}",
            """
            accepted id=20261121T015900.000Z-a-000000 name=a due=2026-11-20T00:00:00.000Z created=2026-11-21T02:00:00.000Z \
            start=2026-11-20T00:00:00.000Z file=a inode=1 size=2 mtime=3 format=json source={}
            """
        ),
        ("started id=20261121T020000.000Z-a-000000", "started id=20261121T020000.000Z-a-000000 try=1"),
        (
            "ended id=20261121T020000.000Z-a-000000 state=done exit_code=0 ago=60000 wall_ms=1 sys_ms=2 max_rss=3",
            """
            ended id=20261121T020000.000Z-a-000000 try=1 state=done exit_code=0 started=2026-11-21T01:59:00.000Z wall_ms=1 user_ms=0 \
            sys_ms=2 max_rss=3
            """
        ),
        ("ended id=20261121T020000.000Z-a-000000 state=failed", "ended id=20261121T020000.000Z-a-000000 try=1 state=failed"),
    ]

    @Test(arguments: leftOut) func aLineMayLeaveOutWhatTheRestTells(short: String, long: String) throws {
        let short = try #require(fields(sealed("1 \(now.rfc3339) \(short)")))
        let long = try #require(fields(sealed("1 \(now.rfc3339) \(long)")))
        let texts = [short, long].map { fields in fields.fields.map { "\($0.key)=\(String(decoding: $0.value, as: UTF8.self))" }.sorted() }
        #expect(texts[0] == texts[1])
        for (key, value) in long.fields { #expect(short[key] == String(decoding: value, as: UTF8.self), "\(key)") }
        for key in ["due", "created", "start", "started"] { #expect(short.instant(key) == long.instant(key), "\(key)") }
    }

    @Test("The usual records of a job have no field twice, and instants far from the line's are written in full")
    func usual() throws {
        var job = try accepted("a")
        func text(_ record: Record) -> String { String(decoding: bytes(of: record).dropFirst(9), as: UTF8.self) }
        #expect(text(.accepted(job)).hasPrefix("17 \(now.rfc3339) accepted id=\(job.id) ago=0 source="), "\(text(.accepted(job)))")
        for milliseconds in [-1, JournalFields.agoEnd] {
            job.createdAt = now.advanced(byMilliseconds: -milliseconds)
            #expect(text(.accepted(job)).contains(" created=\(job.createdAt.rfc3339) "))
        }
        #expect(text(.started(job.id, attempt: 1)) == "17 \(now.rfc3339) started id=\(job.id)\n")
    }

    private func sealed(_ text: String) -> [UInt8] {
        let rest = Array(" \(text)".utf8)
        // CRC-32C bit by bit, as in RFC 3720.
        var crc: UInt32 = 0xFFFF_FFFF
        for byte in rest {
            crc ^= UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82F6_3B78 : crc >> 1 }
        }
        let digits = String(~crc, radix: 16)
        return Array((String(repeating: "0", count: 8 - digits.count) + digits).utf8) + rest
    }

    static let scopes: [(String, PauseScope?)] = [
        ("pause", .all), ("pause@gpu", .queue("gpu")), ("pause-backup", .task("backup")), ("pause--x", nil), ("pause@", nil),
        ("pause-", nil), ("paused", nil), ("", nil), ("pause@a b", nil), ("pause-a/b", nil), ("pause-a-b", .task("a-b")),
    ]

    @Test(arguments: scopes) func aPauseIsItsFilesName(text: String, scope: PauseScope?) {
        #expect(PauseScope(text: text) == scope)
        if let scope { #expect(scope.text == text) }
    }
}
