import Executors
import Glibc
import Linux

enum Verb: String, CaseIterable {
    case submit, poll, find, cancel, signal, extend, logs, check
}

/// An engine. Each function gives its answers to `Told.answer` as soon as they are known, and returns the exit code.
///
/// A function gets items until there are no more, so it may begin before the last item has come.
protocol Executor {
    func submit(_ items: Items<Submission>) -> Int32
    /// Asks the engine for all runs in one query.
    func poll(_ runs: [Run]) -> Int32
    /// Looks for each run by its name, wherever the engine may keep it.
    func find(_ runs: [Run]) -> Int32
    func cancel(_ orders: [Order]) -> Int32
    func signal(_ orders: [Order]) -> Int32
    func extend(_ orders: [Order]) -> Int32
    /// Brings output to the job's directory.
    func logs(_ runs: [Run]) -> Int32
    func check() -> Int32
}

func perform(_ verb: Verb, of executor: any Executor, reading lines: inout InputLines) -> Int32 {
    switch verb {
    case .submit: return executor.submit(Items(lines, Submission.init(line:), refusing: true))
    case .poll: return executor.poll(Items(lines, Run.init(line:)).all())
    case .find: return executor.find(Items(lines, Run.init(line:)).all())
    case .cancel: return executor.cancel(Items(lines, Order.init(line:)).all())
    case .signal: return executor.signal(Items(lines, Order.init(line:)).all())
    case .extend: return executor.extend(Items(lines, Order.init(line:)).all())
    case .logs: return executor.logs(Items(lines, Run.init(line:)).all())
    case .check: return executor.check()
    }
}

/// The items of standard input, one after the other. A line that cannot be used is told and left out.
final class Items<Item> {
    private var lines: InputLines
    private let read: ([UInt8]) throws(UnusableItem) -> Item
    private let isRefusing: Bool

    /// - Parameter isRefusing: a line that cannot be used, whose run can be told, is answered with `refused`. For `submit`: without an
    ///   answer the run would be looked for and submitted again for ever.
    init(_ lines: InputLines, _ read: @escaping ([UInt8]) throws(UnusableItem) -> Item, refusing isRefusing: Bool = false) {
        self.lines = lines
        self.read = read
        self.isRefusing = isRefusing
    }

    func next() -> Item? {
        while true {
            let line: [UInt8]
            do throws(SystemError) {
                guard let next = try lines.next() else { return nil }
                line = next
            } catch {
                Told.person("standard input: \(error)")
                return nil
            }
            if line.isEmpty { continue }
            do throws(UnusableItem) { return try read(line) } catch {
                Told.person("line \(lines.number): \(error.message)")
                if isRefusing, let run = Run(ofUnusable: line) { Told.answer(.failed(run, .refused, error.message)) }
            }
        }
    }

    func all() -> [Item] {
        var items: [Item] = []
        while let item = next() { items.append(item) }
        return items
    }
}

/// The lines of a descriptor.
struct InputLines {
    private let raw: Int32
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false
    /// The number of the last line.
    private(set) var number = 0

    /// A job with all its variables is shorter.
    private static let lineBytesMax = 64 << 20

    init(_ raw: Int32) { self.raw = raw }

    /// The next line without its newline, or nil at the end. A last line without a newline was cut off, and is not a line.
    mutating func next() throws(SystemError) -> [UInt8]? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                defer { start = end + 1 }
                number += 1
                return Array(buffer[start..<end])
            }
            guard !isAtEnd else { return nil }
            buffer.removeFirst(start)
            start = 0
            searched = buffer.count
            if buffer.count > Self.lineBytesMax { throw SystemError(call: "read", errno: E2BIG) }
            try readMore()
        }
    }

    private mutating func readMore() throws(SystemError) {
        var failure: Int32 = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: 1 << 16) { bytes, count in
            count = 0
            while true {
                let result = Glibc.read(raw, bytes.baseAddress, bytes.count)
                if result >= 0 { count = result; return }
                if errno != EINTR { failure = errno; return }
            }
        }
        if failure != 0 { throw SystemError(call: "read", errno: failure) }
        isAtEnd = chunk.isEmpty
        buffer += chunk
    }
}

/// The output of this program.
enum Told {
    /// One line for the daemon, in one write.
    static func answer(_ answer: Answer) { write(answer.line, to: STDOUT_FILENO) }

    /// One line for people.
    static func person(_ text: String) { write(Array("\(name): \(text)\n".utf8), to: STDERR_FILENO) }

    static func refuse(_ text: String) -> Never {
        person(text)
        exit(2)
    }

    private static func write(_ bytes: [UInt8], to raw: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(raw, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return  // nobody reads it: the daemon will ask again
            }
            rest = rest.dropFirst(count)
        }
    }
}
