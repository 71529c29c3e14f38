/// A pattern for the paths of files, as the shell has it: `/srv/in/*.csv`.
///
/// `*` stands for any characters within one name, `?` for one, `[a-z]` for one of these, `[!a-z]` for one that is none of
/// these; `\` takes the meaning from what follows. `**` as a whole name stands for directories of any depth, none too; at the
/// end it takes every file below. Letters count as they are written. A dot at the beginning of a name is matched by a written
/// dot alone (POSIX.1-2024, XCU 2.14.3), and so is the ending of a file that somebody is still writing: `~`, `.tmp` and the others of
/// `Name.isUnfinished`, which `new/` leaves alone too.
///
/// Matching a name takes at most the product of both lengths.
public struct PathGlob: Sendable {
    /// As it was written.
    public let text: String
    /// The directory that all of it lies in: the names before the first one that is a pattern, `/` when there is none.
    public let prefix: String
    private let parts: [Part]
    /// The last name is written with such an ending: `/run/app.lock`, `/srv/*.tmp`.
    private let takesUnfinished: Bool

    enum Part: Sendable {
        case anyDepth
        case name(NamePattern)
    }

    /// How much of a pattern the path of a directory has matched: a bit for each name of the pattern that may come next.
    public struct Progress: Sendable, Hashable {
        fileprivate var bits: UInt64
    }

    public struct Mistake: Error, Sendable, Hashable {
        public var message: String
        /// In characters from the beginning of the text.
        public var offset: Int
        public var hint: String?
    }

    /// Longer paths Linux does not take (PATH_MAX).
    static let bytesMax = 4096
    /// A bit of `Progress` for each.
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
                throw Mistake(message: "\(name.isEmpty ? "an empty name" : "a name of dots alone") stands in no file's path", offset: start)
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

    /// That of the directory `prefix`.
    public var start: Progress { Progress(bits: closed(1)) }

    /// That of a directory of this name in one that has come so far; nil when nothing below it can match.
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

    /// Whether a file of this name is meant, in a directory that has come so far.
    public func takes(_ name: String, from progress: Progress) -> Bool {
        guard progress.bits & 1 << UInt64(parts.count - 1) != 0, case .name(let pattern)? = parts.last else { return false }
        guard takesUnfinished || !Name.endsUnfinished(name) else { return false }
        return pattern.matches(Array(name.unicodeScalars))
    }

    /// Whether the whole path of a file is meant.
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

    /// With what `**` may leave out.
    private func closed(_ bits: UInt64) -> UInt64 {
        var bits = bits
        for index in parts.indices where bits & 1 << UInt64(index) != 0 {
            if case .anyDepth = parts[index] { bits |= 1 << UInt64(index + 1) }
        }
        return bits
    }
}
