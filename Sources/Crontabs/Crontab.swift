// Crontabs: reads a crontab as cron does, and makes a task of each line.
//
// Contract:
//
// - It is pure: the bytes of a crontab in, entries, problems and remarks out. No clock, no disk, no user database.
// - A line means what it means to Debian's cron(8). Syntax of cronie, SUSE's cron and FreeBSD's cron is also read where Debian's
//   cron would refuse the line. Where two crons read a line differently, a remark names both.
// - A line that cannot be read is a problem with its line and column. The other lines are still read.
// - Lines that are known from an earlier text of the same crontab need not be read again (`KnownLines`).
// - A byte that is not UTF-8 is kept in the form of `FileName`.
//
// The parts: `Crontab` reads lines, `Crontab.Settings` the variables between them, `CrontabTask` makes a task of an entry,
// `ProgramName` finds a name for it, `CrontabLine` writes a command back.

import Lines
import Linux
import Recurrence

/// A crontab: crontab(5) of Debian, cronie and FreeBSD.
public struct Crontab: Sendable {
    /// One command with the settings in force at its line.
    public struct Entry: Sendable {
        /// The line's number, from 1.
        public var line: Int
        /// The line as written.
        public var text: String
        /// The comment directly above the line, joined to one line.
        public var comment: String?
        /// Five fields, or a word such as `@daily`.
        public var when: String
        /// The user in the line. Only lines of the system form have one.
        public var user: String?
        /// The text up to the first `%`, with `\%` replaced by `%`.
        public var command: String
        /// The bytes after the first `%`, as cron writes them to the command's standard input. Nil when there is no `%`.
        public var input: String?
        /// `-n` before the command (cronie, FreeBSD): mail the output only when the command fails.
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
    /// Lines that are not valid.
    public private(set) var problems: [Problem] = []
    /// Entries that may not mean what their author intended.
    public private(set) var remarks: [Problem] = []

    /// A line that is to be read, with what decides on its meaning.
    struct Unread {
        let line: Lines.Line
        /// The comments directly above the line.
        let comments: [ArraySlice<UInt8>]
        let settings: Settings
        /// Grows with each change of the settings.
        let settingsNumber: Int
    }

    /// - Parameters:
    ///   - isSystem: the crontab has a user between the time and the command.
    ///   - isUser: returns true for the name of a user of this machine.
    public init(_ bytes: [UInt8], isSystem: Bool, isUser: (String) -> Bool) {
        self.init(bytes, isSystem: isSystem, isUser: isUser) { _ in true }
    }

    /// - Parameter isWanted: returns false for a line that need not be read, because its entry is known.
    init(_ bytes: [UInt8], isSystem: Bool, isUser: (String) -> Bool, isWanted: (Unread) -> Bool) {
        let lines: Lines
        do throws(NotLines) { lines = try Lines(checking: bytes) } catch {
            problems = [Problem(line: error.line, column: error.column, message: "\(error.message); \(error.hint)")]
            return
        }
        var settings = Settings()
        var settingsNumber = 0
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
                settingsNumber += 1
            } else if isWanted(Unread(line: line, comments: comments, settings: settings, settingsNumber: settingsNumber)) {
                do throws(LineReading.Failure) {
                    var reader = LineReading(line, isSystem: isSystem)
                    var entry = try reader.entry(settings, isUser: isUser)
                    let comment = comments.filter { !$0.isEmpty }.map { FileName.string(from: Array($0)) }.joined(separator: " ")
                    entry.comment = comment.isEmpty ? nil : comment
                    entries.append(entry)
                    if let to = Settings.unsafeMailTo(in: settings.variables) {
                        let message = Settings.remark(onUnsafeMailTo: to)
                        remarks.append(Problem(line: line.number, column: line.column(of: text.startIndex), message: message))
                    }
                    remarks += reader.remarks.map { Problem(line: line.number, column: line.column(of: $0.place), message: $0.message) }
                } catch {
                    problems.append(Problem(line: line.number, column: line.column(of: error.place), message: error.message))
                }
            }
        }
    }
}

func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
