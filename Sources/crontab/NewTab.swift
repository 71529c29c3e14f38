import Crontabs
import Glibc
import Linux

/// A text that shall become a crontab.
struct NewTab {
    /// The most bytes of a text. A crontab of the most lines may have a thousand bytes in each.
    private static let bytesMax = 10 << 20
    /// The most bytes of a file in the directory, which has a header.
    static let storedBytesMax = bytesMax + (1 << 16)

    enum Outcome {
        /// Also a dry run that found no fault.
        case installed
        /// Somebody who edits can mend the text.
        case refused
        /// The system did not let it be installed.
        case failed
    }

    private let text: [UInt8]
    /// The name of the file, as messages and the header have it.
    private let name: String

    init(_ text: [UInt8], from name: String) {
        self.text = text
        self.name = name
    }

    /// Reads a text, but not more than a crontab may have. Says why not and returns nil for any other.
    static func read(_ input: OpenInput, named name: String) -> [UInt8]? {
        do throws(SystemError) { return try input.descriptor.readAll(limit: bytesMax) } catch {
            if error.errno == EFBIG {
                complain("crontab is too large; maximum number of bytes is \(bytesMax).")
            } else {
                complain("\(name): \(error.message)")
            }
            return nil
        }
    }

    /// Checks the text and makes it the crontab of the user. Says why not.
    func install(_ invocation: Invocation, _ tabs: borrowing TabDirectory, over expected: TabDirectory.Expectation) -> Outcome {
        guard isGood() else { return .refused }
        if invocation.isDryRun {
            complain("The syntax of the crontab file was successfully checked.")
            return .installed
        }
        let user = invocation.user.name
        do throws(TabDirectory.Failure) {
            try tabs.replace(TabHeader.text(from: name) + text, of: invocation.user, over: expected)
        } catch {
            switch error {
            case .changed:
                complain("\(programName): the crontab of \(user) has been changed since this edit began; it stays as it is now")
            case .creation(let error): complain("\(TabDirectory.parent)/: mkstemp: \(error.message)")
            case .system(let error):
                complain("\(programName): crontabs/\(user): \(error.call): \(error.message); the crontab is as it was")
            }
            return .failed
        }
        invocation.log("REPLACE")
        return .installed
    }

    // MARK: Checking

    private func isGood() -> Bool {
        // What Debian's cron runs and spoold does not read would be a line that never runs.
        let problems = Dictionary(
            Crontab(text, isSystem: false, isUser: { _ in false }).problems.map { ($0.line, $0.message) },
            uniquingKeysWith: { first, _ in first })
        var number = 0
        var rest = text[...]
        while let end = rest.firstIndex(of: 0x0A) {
            number += 1
            if number > DebianCheck.linesMax {
                complain("crontab is too long; maximum number of lines is \(DebianCheck.linesMax).")
                return false
            }
            let line = rest[..<end]
            if let reason = Self.unreadable(line, problems[number]) ?? DebianCheck.refusal(of: line) ?? problems[number] {
                complain("\"\(name)\":\(number): \(reason)")
                complain("errors in crontab file, can't install.")
                return false
            }
            rest = rest[end...].dropFirst()
        }
        let last = rest.drop { $0 == 0x20 || $0 == 0x09 }
        if last.isEmpty || last.first == UInt8(ascii: "#") { return true }
        complain("new crontab file is missing newline before EOF, can't install.")
        return false
    }

    /// The reason why a line is not the text that its writer sees.
    private static func unreadable(_ line: ArraySlice<UInt8>, _ problem: String?) -> String? {
        if line.contains(0) { return problem ?? "a zero byte" }
        let isComment = line.first { $0 != 0x20 && $0 != 0x09 } == UInt8(ascii: "#")
        if line.last == 0x0D, !isComment {
            return "the line ends with CR LF, and the CR would be part of the command; convert the file: tr -d '\\r'"
        }
        return nil
    }
}

extension TabHeader {
    /// The header of a crontab that is installed now.
    static func text(from name: String) -> [UInt8] {
        var now = time(nil)
        var date = [CChar](repeating: 0, count: 26)
        ctime_r(&now, &date)
        let day = date.prefix { $0 != 0x0A && $0 != 0 }.map { UInt8(bitPattern: $0) }
        return text(from: FileName.bytes(of: name), day: day)
    }
}
