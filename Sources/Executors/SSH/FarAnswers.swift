import Lines

/// Reads what the other host sends during a call: see ``FarSide``.
///
/// Text before the line `MARK hello …` is noise: the mark is random, so nobody else can write it. After that line there is nothing but
/// answers; anything else means that the connection cannot be understood any more, and nothing that follows is believed.
public struct FarAnswers: Sendable {
    public enum Answer: Sendable, Equatable {
        case hello(Hello)
        case line(number: Int, words: [String])
        /// Bytes of a file that has `size` bytes now, or is not there.
        case data(number: Int, bytes: [UInt8], size: Int64?)
    }

    /// The first line of the other side.
    public struct Hello: Sendable, Equatable {
        public var version: Int
        /// Seconds since the epoch, by the clock there.
        public var clock: Int64
        /// Nil where the system does not name its boots.
        public var boot: String?
        /// The name of the home, which the first job there gave it. Nil when it has none.
        public var home: String?
        /// The user there. Nil when the number has no name.
        public var user: String?
        /// The directory with the jobs' directories: `.spoold` in the user's home.
        public var base: String

        public init(version: Int, clock: Int64, boot: String?, home: String?, user: String?, base: String) {
            self.version = version
            self.clock = clock
            self.boot = boot
            self.home = home
            self.user = user
            self.base = base
        }

        /// The home of the user there.
        public var userHome: String { base.hasSuffix("/.spoold") ? String(base.dropLast(8)) : base }
    }

    public struct Strange: Error, Equatable {
        public var message: String
    }

    private let mark: [UInt8]
    private var buffer: [UInt8] = []
    private var isGreeted = false
    private var noise = 0
    /// The data that the last line announced.
    private var expected: (number: Int, count: Int, size: Int64?)?

    private static let lineBytesMax = 64 << 10
    private static let noiseBytesMax = 1 << 20
    /// Seconds since the epoch that a clock can show, until about the year 36,800.
    private static let clocks: ClosedRange<Int64> = 0...(1 << 40)

    public init(mark: String) { self.mark = Array(mark.utf8) }

    /// Takes bytes as they arrive, and returns the answers that are whole now.
    public mutating func take(_ bytes: some Collection<UInt8>) throws(Strange) -> [Answer] {
        buffer += bytes
        var answers: [Answer] = []
        var used = 0
        defer { buffer.removeFirst(used) }
        while true {
            if let (number, count, size) = expected {
                guard buffer.count - used > count else { break }
                let data = Array(buffer[used..<used + count])
                // A file that shrank while it was read: the next answers came in its place.
                guard buffer[used + count] == UInt8(ascii: "\n"), !contains(data, mark) else {
                    throw Strange(message: "a file became shorter while it was read")
                }
                answers.append(.data(number: number, bytes: data, size: size))
                used += count + 1
                expected = nil
                continue
            }
            guard let end = buffer[used...].firstIndex(of: UInt8(ascii: "\n")) else {
                if buffer.count - used > Self.lineBytesMax {
                    guard !isGreeted else { throw Strange(message: "a line is too long") }
                    try countNoise(buffer.count - used)
                    used = buffer.count
                }
                break
            }
            let line = buffer[used..<end]
            used = end + 1
            guard line.starts(with: mark), line.count > mark.count, line[line.startIndex + mark.count] == UInt8(ascii: " ") else {
                guard !isGreeted else { throw Strange(message: "something else writes into the connection") }
                try countNoise(line.count + 1)
                continue
            }
            let words = String(decoding: line.dropFirst(mark.count + 1), as: UTF8.self).split(separator: " ").map(String.init)
            if let answer = try read(words) { answers.append(answer) }
        }
        return answers
    }

    private mutating func countNoise(_ count: Int) throws(Strange) {
        noise += count
        if noise > Self.noiseBytesMax { throw Strange(message: "the login prints without end") }
    }

    private mutating func read(_ words: [String]) throws(Strange) -> Answer? {
        guard isGreeted else {
            guard words.count >= 7, words[0] == "hello", let version = Int(words[1]), let clock = Int64(words[2]),
                Self.clocks.contains(clock)
            else {
                throw Strange(message: "the first line is not understood")
            }
            isGreeted = true
            return .hello(
                Hello(
                    version: version, clock: clock, boot: Self.given(words[3]), home: Self.given(words[4]),
                    user: Self.given(words[5]), base: words[6...].joined(separator: " ")))
        }
        guard let first = words.first, let number = Int(first), words.count > 1 else { throw Strange(message: "an answer has no number") }
        guard words[1] == "data" else { return .line(number: number, words: Array(words.dropFirst())) }
        guard words.count == 4, let count = Int(words[2]), count >= 0, count <= FarSide.chunkBytesMax,
            case let size = Int64(words[3]), size.map({ $0 >= 0 }) ?? (words[3] == "-")
        else { throw Strange(message: "data of no size") }
        expected = (number, count, size)
        return nil
    }

    private static func given(_ word: String) -> String? { word == "-" ? nil : word }
}

private func contains(_ bytes: [UInt8], _ other: [UInt8]) -> Bool {
    guard let first = other.first, bytes.count >= other.count else { return false }
    var start = 0
    while let found = bytes[start...].firstIndex(of: first), found + other.count <= bytes.count {
        if bytes[found..<found + other.count].elementsEqual(other) { return true }
        start = found + 1
    }
    return false
}
