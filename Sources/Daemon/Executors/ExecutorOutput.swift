import ExecutorProtocol
import Model
import Scheduler
import Store

/// Reads what an executor's program prints: one line of JSON for each run. Whatever it prints, a line that is no answer to what was asked
/// counts as not printed, and is told.
struct ExecutorOutput {
    /// The largest output of one call, in bytes.
    static let bytesMax = 16 << 20
    /// Handles and words of the engine go into the status and the journal.
    private static let wordBytesMax = 1000

    private(set) var answers: [ExecutorAnswer] = []
    /// The first line that could not be used, and why. Nil when there is none.
    private(set) var problem: String?
    /// The executor speaks another version of the protocol.
    private(set) var otherVersion: Int?

    /// - Parameter isCut: more was printed than is read, so the last line is not whole.
    init(_ bytes: [UInt8], _ call: ExecutorCall, isCut: Bool = false) {
        var asked: [String: ExecutorCall.Item] = [:]
        for item in call.items { asked[item.job.id.text] = item }
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: true)
        if isCut || bytes.last != UInt8(ascii: "\n"), !lines.isEmpty {
            // It was cut off: half a line may look like a whole one.
            lines.removeLast()
            note("the last line is not whole")
        }
        for (index, line) in lines.enumerated() {
            guard line.count <= ExecutorLines.bytesMax else {
                note("line \(index + 1) is longer than \(ExecutorLines.bytesMax) bytes")
                continue
            }
            guard let table = JSON.readableTable(Array(line)) else {
                note("line \(index + 1) is not an object of JSON")
                continue
            }
            if let version = table.whole("protocol"), table["id"] == nil {
                if version != ExecutorLines.version { otherVersion = Int(version) }
                continue
            }
            guard let text = table.text("id"), let item = asked[text], table.whole("try") == Int64(item.runNumber) else {
                note("line \(index + 1) is about nothing that was asked")
                continue
            }
            guard let answer = Self.answer(table, item, call.verb) else {
                note("line \(index + 1) does not say what \(call.verb.rawValue) asks")
                continue
            }
            // The first answer about a run counts.
            asked[text] = nil
            answers.append(answer)
        }
    }

    private mutating func note(_ what: String) { problem = problem ?? what }

    private static func answer(_ table: Table, _ item: ExecutorCall.Item, _ verb: ExecutorCall.Verb) -> ExecutorAnswer? {
        var kind: ExecutorAnswer.Kind?
        if let error = table.text("error") {
            // A class that is not known says as little.
            switch ErrorClass(rawValue: error) ?? .unknown {
            case .later: kind = .later
            case .refused: kind = .refused
            case .unknown: kind = .unknown
            }
        } else {
            switch verb {
            case .submit: if let handle = table.text("handle"), !handle.isEmpty { kind = .submitted }
            case .poll, .find: kind = table.text("state").flatMap(EngineState.init).map { .state($0) }
            case .cancel, .signal, .extend: kind = .asked
            }
        }
        guard let kind else { return nil }
        var answer = ExecutorAnswer(item.job.id, attempt: item.runNumber, kind)
        answer.handle = word(table, "handle")
        answer.message = word(table, "message")
        answer.report.why = word(table, "why")
        answer.report.position = table.whole("position").flatMap { $0 >= 0 ? Int(clamping: $0) : nil }
        answer.report.host = word(table, "host") ?? word(table, "where")
        answer.report.exitCode = table.whole("exit").flatMap { (0...255).contains($0) ? Int($0) : nil }
        answer.report.signal = table.whole("signal").flatMap { (1...64).contains($0) ? Int32($0) : nil }
        answer.report.reason = table.text("reason").flatMap(EndReason.init)
        return answer
    }

    private static func word(_ table: Table, _ key: String) -> String? {
        guard let text = table.text(key), !text.isEmpty else { return nil }
        return TerminalText.safe(String(decoding: text.utf8.prefix(wordBytesMax), as: UTF8.self))
    }
}
