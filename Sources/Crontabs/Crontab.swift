// Crontabs: what a crontab says, as cron reads it, and each of its lines as a task.
//
// What this module promises:
//
// - It is pure: the bytes of a crontab in, entries, problems and remarks out. No clock, no disk, no user database.
// - A line means what it means to Debian's cron(8). What cronie, SUSE's and FreeBSD's cron have besides is read too where Debian's
//   would refuse it; where the two read the same line differently, a remark names both.
// - A line that cannot be read is a problem with its line and column, and the others count.
// - A byte that is not UTF-8 is kept, in the form of `FileName`.
//
// The parts: `Crontab` reads lines, `Crontab.Settings` the variables between them, `CrontabTask` makes a task of an entry,
// `ProgramName` finds a name for it, `CrontabLine` writes a command back.

import Lines
import Linux
import Recurrence

/// A crontab: crontab(5) of Debian, cronie and FreeBSD.
public struct Crontab: Sendable {
    /// One command with all that is in force where it stands.
    public struct Entry: Sendable {
        /// From 1.
        public var line: Int
        /// As it was written.
        public var text: String
        /// The comment directly above it, in one line.
        public var comment: String?
        /// Five fields, or a word such as `@daily`.
        public var when: String
        /// Of the system form alone.
        public var user: String?
        /// Up to the first `%`, with `\%` as `%`.
        public var command: String
        /// What follows the first `%`, byte by byte as cron writes it to the command's standard input; nil: there is no `%`.
        public var input: String?
        /// cronie, FreeBSD: `-n` before the command mails its output when it fails only.
        public var mailsFailuresOnly: Bool
        public var settings: Settings
    }

    /// A fault of a line, or a remark about it.
    public struct Problem: Sendable, Equatable {
        public var line: Int
        public var column: Int
        public var message: String

        public init(line: Int, column: Int, message: String) {
            self.line = line
            self.column = column
            self.message = message
        }
    }

    public private(set) var entries: [Entry] = []
    /// Lines that are none.
    public private(set) var problems: [Problem] = []
    /// What lines that are entries may not have been meant to say.
    public private(set) var remarks: [Problem] = []

    /// - Parameters:
    ///   - isSystem: a user stands between the time and the command.
    ///   - isUser: whether the machine knows a user of that name.
    public init(_ bytes: [UInt8], isSystem: Bool, isUser: (String) -> Bool) {
        let lines: Lines
        do throws(NotLines) { lines = try Lines(checking: bytes) } catch {
            problems = [Problem(line: error.line, column: error.column, message: "\(error.message); \(error.hint)")]
            return
        }
        var settings = Settings()
        var comments: [ArraySlice<UInt8>] = []
        for line in lines {
            let text = line.bytes.drop(while: isBlank)
            defer { if text.first != UInt8(ascii: "#") { comments = [] } }
            if let zero = text.firstIndex(of: 0) {
                problems.append(Problem(line: line.number, column: line.column(of: zero),
                    message: "a zero byte, at which cron would end the line"))
            } else if text.isEmpty {
                continue
            } else if text.first == UInt8(ascii: "#") {
                comments.append(text.drop { $0 == UInt8(ascii: "#") || isBlank($0) })
            } else if let (name, value) = Settings.assignment(text) {
                settings.set(name, value)
            } else {
                do throws(LineReading.Failure) {
                    var reader = LineReading(line, isSystem: isSystem)
                    var entry = try reader.entry(settings, isUser: isUser)
                    let comment = comments.filter { !$0.isEmpty }.map { FileName.string(from: Array($0)) }.joined(separator: " ")
                    entry.comment = comment.isEmpty ? nil : comment
                    entries.append(entry)
                    remarks += reader.remarks.map { Problem(line: line.number, column: line.column(of: $0.place), message: $0.message) }
                } catch {
                    problems.append(Problem(line: line.number, column: line.column(of: error.place), message: error.message))
                }
            }
        }
    }
}

func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
