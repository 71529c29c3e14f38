/// The place of a try on another host. Written to the job's directory, as `place.TRY`, before the other host is told to start anything, and
/// never changed afterwards: so every later call asks this host, in this directory.
public struct FarPlace: Sendable, Equatable {
    public var host: HostName
    /// The name of the directory below `~/.spoold`. Random, so that two spools with a job of the same id do not meet there.
    public var directory: String
    /// The name of the home that the directory is in.
    public var home: String
    /// The boot of the host at that time, if it has a name.
    public var boot: String?
    /// The limit of each output file in bytes, or 0.
    public var outputLimit: Int64

    public init(host: HostName, directory: String, home: String, boot: String?, outputLimit: Int64) {
        self.host = host
        self.directory = directory
        self.home = home
        self.boot = boot
        self.outputLimit = outputLimit
    }

    /// The daemon's name for the job there.
    public var handle: String { "\(host):\(directory)" }

    /// In the place of a place: the try was canceled before anything was started.
    public static let canceled = "canceled\n"

    public static func fileName(attempt: Int64) -> String { "place.\(attempt)" }

    /// A longer file is not a place.
    public static let bytesMax = 1024

    public var text: String { "\(host) \(directory) \(home) \(boot ?? "-") \(outputLimit)\n" }

    public init?(_ text: String) {
        let words = text.split(separator: "\n", omittingEmptySubsequences: false).first?.split(separator: " ").map(String.init) ?? []
        guard words.count == 5, text.hasSuffix("\n"), let host = HostName(words[0]), Self.isDirectoryName(words[1]),
            let outputLimit = Int64(words[4]), outputLimit >= 0
        else { return nil }
        self.init(host: host, directory: words[1], home: words[2], boot: words[3] == "-" ? nil : words[3], outputLimit: outputLimit)
    }

    /// The directory of a try. Nil for an id that is no name of a directory.
    public static func directory(id: String, attempt: Int64, random: UInt32) -> String? {
        let digits = String(random, radix: 16)
        let name = "\(id).\(attempt).\(String(repeating: "0", count: 8 - digits.count))\(digits)"
        return isDirectoryName(name) ? name : nil
    }

    /// The try in the name of a directory.
    public static func run(ofDirectory name: String) -> (id: String, attempt: Int64)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count > 2, isDirectoryName(name), let attempt = Int64(parts[parts.count - 2]) else { return nil }
        return (parts.dropLast(2).joined(separator: "."), attempt)
    }

    static func isDirectoryName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first != UInt8(ascii: "."), first != UInt8(ascii: "-"), name.utf8.count <= 200 else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
    }
}
