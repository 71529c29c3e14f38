import TextSearch

/// The files that an `on_path` schedule waits for.
public final class OnPath: Sendable {
    public enum Paths: String, Sendable, CaseIterable {
        /// One job for each file.
        case each
        /// One job for all files that have arrived since the previous job.
        case all
    }

    public let glob: PathGlob
    public let paths: Paths

    init(glob: PathGlob, paths: Paths) {
        self.glob = glob
        self.paths = paths
    }

    /// The maximum number of files of one job, and the maximum length of their paths together, in bytes: a program's variable
    /// holds 128 KiB (execve(2), MAX_ARG_STRLEN).
    public static let filesMax = 10_000
    public static let bytesMax = 64_000

    /// Keys about due times, which an `on_path` schedule does not have.
    static let strangers = ["timezone", "jitter", "catch_up_limit", "dst_gap", "dst_repeat"]
}

extension OnPath {
    /// The condition for its runs, in a sentence.
    public var spoken: String { "when a file matching \(glob.text) arrives" }

    /// The meaning in words.
    public var explanation: Explanation {
        let each = paths == .each ? "each with a job of its own" : "all that have arrived since the last run in one job"
        return Explanation(
            syntax: "a pattern for files", normalized: glob.text,
            sentence: "When a file matching \(glob.text) arrives, closed after writing or renamed in, \(each)")
    }
}

extension ScheduleDefinition {
    /// The schedule in words, with warnings about surprising effects.
    public func explanation(at now: Instant) -> Explanation { onPath?.explanation ?? timedExplanation(at: now) }

    private func timedExplanation(at now: Instant) -> Explanation {
        var explanation = recurrence.explanation(at: now, of: text)
        guard let filter = recurrence.filter else { return explanation }
        explanation.sentence += ", \(filter.words)"
        let never = "it is never due: every due time is excluded"
        if isNeverDue(after: now), !explanation.warnings.contains(where: { $0.contains("never due") }) {
            explanation.warnings.append(never)
        }
        return explanation
    }

    /// The expression without its key and quotation marks.
    private var text: String {
        guard let open = expression.firstIndex(of: "\""), let close = expression.lastIndex(of: "\""), open < close
        else { return expression }
        return String(expression[expression.index(after: open)..<close])
    }
}

extension TableReader {
    /// Reads `on_path` and `paths`. Returns nil when there is none, or when it is unusable, which is then a problem.
    mutating func onPath() -> OnPath? {
        expect(["on_path", "paths"])
        guard let value = table["on_path"] else {
            if let entry = table.entry("paths") { fail(entry.keyPosition, "paths needs on_path, which is missing") }
            return nil
        }
        for key in OnPath.strangers {
            if let entry = table.entry(key) {
                fail(entry.keyPosition, "\(key) has no meaning with on_path: a file is due when it arrives")
            }
        }
        let paths = choice("paths", as: OnPath.Paths.self) ?? .each
        guard let text = string("on_path") else { return nil }
        do throws(PathGlob.Mistake) { return OnPath(glob: try PathGlob(text), paths: paths) } catch {
            var position = value.position
            // In a basic string without escapes, the position in the text gives the position in the file.
            position.column += error.offset + 1
            fail(position, "on_path \"\(text)\": \(error.message)", hint: error.hint)
            return nil
        }
    }
}
