/// A pattern for file paths with the syntax of the shell: `/srv/in/*.csv`.
///
/// `*` matches any characters within one name, `?` one character, `[a-z]` one of these, `[!a-z]` one other than these, and `\`
/// makes the next character literal. `**` as a whole name matches directories of any depth, including none; at the end it matches
/// every file below. Case matters. A dot at the beginning of a name is only matched by a written dot (POSIX.1-2024, XCU 2.14.3).
/// The same applies to the endings of unfinished files, `~`, `.tmp` and the others of `Name.isUnfinished`, which are ignored in
/// `new/` too.
///
/// Matching a name takes at most the product of both lengths.
public struct PathGlob: Sendable {
    /// The pattern as written.
    public let text: String
    /// The directory that contains all matches: the names before the first one with a pattern, `/` when there is none.
    public let prefix: String
    private let parts: [Part]
    /// The last name is written with an unfinished file's ending: `/run/app.lock`, `/srv/*.tmp`.
    private let takesUnfinished: Bool

    enum Part: Sendable {
        case anyDepth
        case name(NamePattern)
    }

    /// The part of a pattern that the path of a directory has matched: one bit for each name of the pattern that may be next.
    public struct Progress: Sendable, Hashable {
        fileprivate var bits: UInt64
    }

    public struct Mistake: Error, Sendable, Hashable {
        public var message: String
        /// In characters from the beginning of the text.
        public var offset: Int
        public var hint: String?
    }

    /// Linux does not accept longer paths (PATH_MAX).
    static let bytesMax = 4096
    /// Each name has a bit in `Progress`.
    static let partsMax = 60

    public init(_ text: String) throws(Mistake) {
        guard text.unicodeScalars.first == "/" else {
            throw Mistake(message: "a path begins with /", offset: 0, hint: "write the whole path, such as \"/srv/in/*.csv\"")
        }
        guard text.utf8.count <= Self.bytesMax else {
            throw Mistake(message: "a path has at most \(Self.bytesMax) bytes", offset: Self.bytesMax)
        }
        let scalars = Array(text.unicodeScalars)
        guard scalars.count > 1, scalars[scalars.count - 1] != "/" else {
            throw Mistake(
                message: "it ends in /, and names no file", offset: scalars.count - 1,
                hint: "/* at its end takes every file in the directory")
        }
        var prefix = ""
        var parts: [Part] = []
        var start = 1
        while start <= scalars.count {
            let end = scalars[start...].firstIndex(of: "/") ?? scalars.count
            let name = scalars[start..<end]
            guard !name.isEmpty, name != ["."], name != [".", "."] else {
                let what = name.isEmpty ? "an empty name" : "a name of dots alone"
                throw Mistake(message: "\(what) cannot be in the path of a file", offset: start)
            }
            if name == ["*", "*"] {
                if case .anyDepth? = parts.last {} else { parts.append(.anyDepth) }
            } else {
                let pattern = try NamePattern(name)
                if let literal = pattern.literal, parts.isEmpty, end < scalars.count {
                    prefix += "/\(literal)"
                } else {
                    parts.append(.name(pattern))
                }
            }
            start = end + 1
        }
        if case .anyDepth? = parts.last { parts.append(.name(.any)) }
        guard parts.count <= Self.partsMax else {
            throw Mistake(message: "more than \(Self.partsMax) names follow the first pattern", offset: 0)
        }
        self.text = text
        self.prefix = prefix.isEmpty ? "/" : prefix
        self.parts = parts
        takesUnfinished = if case .name(let last)? = parts.last { Name.endsUnfinished(last.writtenEnd) } else { false }
    }

    // MARK: Matching

    /// The progress of the directory `prefix`.
    public var start: Progress { Progress(bits: closed(1)) }

    /// The progress of a directory with this name, in a directory with the given progress. Nil when nothing below it can match.
    public func enter(_ name: String, from progress: Progress) -> Progress? {
        var next: UInt64 = 0
        let scalars = Array(name.unicodeScalars)
        for index in parts.indices where progress.bits & 1 << UInt64(index) != 0 {
            switch parts[index] {
            case .anyDepth: if scalars.first != "." { next |= 1 << UInt64(index) }
            case .name(let pattern): if index + 1 < parts.count, pattern.matches(scalars) { next |= 1 << UInt64(index + 1) }
            }
        }
        return next == 0 ? nil : Progress(bits: closed(next))
    }

    /// True when a file of this name matches, in a directory with the given progress.
    public func takes(_ name: String, from progress: Progress) -> Bool {
        guard progress.bits & 1 << UInt64(parts.count - 1) != 0, case .name(let pattern)? = parts.last else { return false }
        guard takesUnfinished || !Name.endsUnfinished(name) else { return false }
        return pattern.matches(Array(name.unicodeScalars))
    }

    /// True when the whole path of a file matches.
    public func matches(_ path: String) -> Bool {
        let before = prefix == "/" ? "/" : prefix + "/"
        guard path.utf8.starts(with: before.utf8) else { return false }
        var names = path.unicodeScalars.dropFirst(before.unicodeScalars.count).split(separator: "/", omittingEmptySubsequences: false)
        guard let file = names.popLast(), !file.isEmpty else { return false }
        var progress = start
        for name in names {
            guard let next = enter(String(name), from: progress) else { return false }
            progress = next
        }
        return takes(String(file), from: progress)
    }

    /// The progress including the names after a `**`, which may match no directory.
    private func closed(_ bits: UInt64) -> UInt64 {
        var bits = bits
        for index in parts.indices where bits & 1 << UInt64(index) != 0 {
            if case .anyDepth = parts[index] { bits |= 1 << UInt64(index + 1) }
        }
        return bits
    }
}
