import Documents
import Glibc

/// A service of etc/container/compose.yaml: the lines below its name, of which each is `key: value`, `key:` before its list, or `- item`.
struct Compose {
    static let directory = "\(ShippedTextTests.root)/etc/container"
    private var lines: [Substring] = []

    static func service(_ name: String) throws -> Compose {
        let all = try Files.text("\(directory)/compose.yaml").split(separator: "\n")
        guard let begin = all.firstIndex(of: "  \(name):") else { throw WaitFailed(description: "compose.yaml has no service \(name)") }
        let lines = all[(begin + 1)...].prefix { $0.hasPrefix("    ") }
        return Compose(lines: lines.map { $0.drop { $0 == " " } }.filter { !$0.hasPrefix("#") })
    }

    /// The value of a key, at whatever depth. Nil when it has none.
    func value(_ key: String) -> String? {
        lines.first { $0.hasPrefix("\(key): ") }.map { String($0.dropFirst(key.utf8.count + 2)) }
    }

    /// The list of a key, in one line or below it; empty when there is none.
    func list(_ key: String) -> [String] {
        if let text = value(key) {
            return text.dropFirst().dropLast().split(separator: ", ").map { word in String(word.filter { $0 != "\"" }) }
        }
        guard let begin = lines.firstIndex(of: "\(key):") else { return [] }
        return lines[(begin + 1)...].prefix { $0.hasPrefix("- ") }.map { String($0.dropFirst(2)) }
    }
}
