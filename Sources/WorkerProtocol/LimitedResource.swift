/// The resources of setrlimit(2) that a job can be given a limit of, by the names that ulimit and systemd use.
public struct LimitedResource: Sendable, Equatable {
    /// The unit of a limit.
    public enum Unit: Sendable { case count, bytes, seconds }

    public let name: String
    /// RLIMIT_…, with the numbers that Linux uses on every architecture that Swift supports.
    public let number: Int
    public let unit: Unit

    public static let all = [
        LimitedResource(name: "cpu", number: 0, unit: .seconds),
        LimitedResource(name: "fsize", number: 1, unit: .bytes),
        LimitedResource(name: "core", number: 4, unit: .bytes),
        LimitedResource(name: "nproc", number: 6, unit: .count),
        LimitedResource(name: "nofile", number: 7, unit: .count),
        LimitedResource(name: "as", number: 9, unit: .bytes),
    ]
}
