import Documents
import Model
import Testing

@testable import Store

@Suite("Reading a status file")
struct StatusReadingTests {
    private func read(_ bytes: [UInt8]) throws -> JobStatus? {
        guard case .table(let table) = try JSON.parse(bytes, limits: .status).kind else { return nil }
        return JobStatus(json: table)
    }

    @Test(
        "Invalid names of tasks, schedules and queues are ignored", arguments: ["../../etc/x", "a/b", "", ".", "a\\nb", "-x"]
    )
    func names(text: String) throws {
        let status = try #require(
            try read(
                Array(#"{"id": "20261121T020000.000Z-a-k3f9ab", "task": "\#(text)", "schedule": "\#(text)", "queue": "\#(text)"}"#.utf8)))
        #expect(status.task == nil && status.schedule == nil && status.queue == "default")
    }

    @Test("Seconds of usage become milliseconds; unreasonable numbers are ignored; a status that is written again has the same usage",
        arguments: [
            ("1", 1000), ("1.25", 1250), ("0.0005", 1), ("999999999999", 999_999_999_999_000),
            // Found by fuzzing: this number was accepted as an integer, but not as the fraction that was written for it.
            ("1111111111112", 0), ("1111111111112.0", 0), ("9223372036854775807", 0), ("-9223372036854775808", 0), ("1e300", 0),
            ("\"1\"", 0), ("null", 0),
            // Found by fuzzing: writing the fraction of a negative number trapped.
            ("-3", 0), ("-0.25", 0), ("-999999999999.999", 0),
        ] as [(String, Int64)])
    func usage(text: String, milliseconds: Int64) throws {
        let status = try #require(try read(Array(#"{"version": 1, "id": "20261121T020000Z", "usage": {"user_s": \#(text)}}"#.utf8)))
        #expect(status.usage?.userMilliseconds == milliseconds)
        #expect(try read(status.json())?.usage == status.usage)
    }
}
