import Model
import TestSupport
import Testing

func toml(_ text: String) -> Source { Source(format: .toml, bytes: Array(text.utf8)) }

func readJob(_ text: String) throws -> JobDefinition {
    try JobDefinition.read(try toml(text).table(), context)
}

func readTask(_ text: String, _ name: String = "backup") throws -> TaskDefinition {
    try TaskDefinition(name: name, source: toml(text), context)
}

func readSchedule(_ keys: String) throws -> ScheduleDefinition {
    try readTask("command = \":\"\n[[schedule]]\n\(keys)").schedules[0]
}

/// The errors of a text, each as `line:column: message; hint`. Empty if there are none.
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
