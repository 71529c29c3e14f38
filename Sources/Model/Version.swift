/// The version of the programs, which are built and installed together.
public enum Version {
    public static let text = "0.1.0"

    /// The commit that the programs were built from.
    public struct Build: Sendable {
        /// All 40 digits.
        public let commit: String
        /// As 2026-11-29, in UTC.
        public let date: String
        /// The programs were built from a checkout with changes that were not committed.
        public let isModified: Bool
    }

    /// The commit and its date, which `etc/package/build` writes into finished programs over the blanks of `mark`. Nil in a program that
    /// comes from `swift build` alone. So a commit changes no source, and none is compiled again because of it.
    public static let build: Build? = mark.withUTF8Buffer { bytes in
        let words = String(decoding: bytes, as: UTF8.self).split(separator: " ").dropFirst().map(String.init)
        guard words.count >= 2 else { return nil }
        return Build(commit: words[0], date: words[1], isModified: words.dropFirst(2).first == "modified")
    }

    /// The line that `--version` prints: `spoold 0.1.0 (commit 199854a1b2c3 of 2026-11-29)`.
    public static func line(of program: String) -> String {
        guard let build else { return "\(program) \(text)" }
        return "\(program) \(text) (commit \(build.commit.prefix(12)) of \(build.date)\(build.isModified ? ", modified" : ""))"
    }

    /// The first word, by which `etc/package/build` finds the place, then blanks.
    private static let mark: StaticString = "spoold-was-built-from                                                                "
}
