import Model
import Testing

/// The machine's time zones, read once for all tests.
let zones = ZoneDatabase()

/// The instant at which everything here is read.
let now = instant("2026-11-21T02:00:00.000Z")

let context = ReadingContext(now: now, zones: zones)

/// An instant in the form that machines write.
func instant(_ text: String) -> Instant { Instant(fixed: text.utf8)! }

func toml(_ text: String) -> Source { Source(format: .toml, bytes: Array(text.utf8)) }

func readJob(_ text: String) throws -> JobDefinition {
    try JobDefinition.read(try toml(text).table(), context)
}

/// What is said against a text, `line:column: message; hint` each; empty when nothing is.
func problems(_ read: () throws -> Void) -> [String] {
    do {
        try read()
        return []
    } catch let problems as Problems {
        return problems.all.map { "\($0)" }
    } catch {
        return ["not a Problems: \(error)"]
    }
}

/// The members of a JSON object.
func object(_ json: [UInt8]) throws -> Table {
    guard case .table(let table) = try JSON.parse(json).kind else {
        Issue.record("not an object: \(String(decoding: json, as: UTF8.self))")
        return Table()
    }
    return table
}

/// SplitMix64: the same sequence for the same seed.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var x = state
        x = (x ^ (x >> 30)) &* 0xBF58_476D_1CE4_E5B9
        x = (x ^ (x >> 27)) &* 0x94D0_49BB_1331_11EB
        return x ^ (x >> 31)
    }
}
