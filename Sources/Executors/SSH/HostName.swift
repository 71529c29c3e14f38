/// The name of a host as ssh(1) takes it: a name, an address, an alias of ssh_config(5), each with `user@` in front of it or not.
public struct HostName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    public var description: String { text }

    private static let bytesMax = 255

    /// Nil for a text that ssh might take for an option or that a shell might read as more than one word.
    public init?(_ text: String) {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= Self.bytesMax, bytes.allSatisfy(Self.isAllowed) else { return nil }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.utf8.first != UInt8(ascii: "-") }) else { return nil }
        self.text = text
    }

    public static func < (a: HostName, b: HostName) -> Bool { a.text < b.text }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "%"), UInt8(ascii: "@"):
            true
        default: false
        }
    }
}
