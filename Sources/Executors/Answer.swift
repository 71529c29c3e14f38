import Documents
import ExecutorProtocol

/// A line that the executor writes: what became of one item, or of one check.
public struct Answer: Sendable, Equatable {
    /// Bytes of each text from the engine in an answer, so that no line is too long.
    static let textBytesMax = 4 << 10

    private var bytes: [UInt8]

    /// The line, with its newline.
    public var line: [UInt8] { bytes + [UInt8(ascii: "\n")] }

    private init(of run: Run, _ write: (inout JSONWriter) -> Void) {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.key("id")
        writer.string(run.id)
        writer.key("try")
        writer.integer(run.attempt)
        write(&writer)
        writer.endObject()
        bytes = writer.bytes
    }

    public static func submitted(_ run: Run, handle: String, host: String? = nil) -> Answer {
        Answer(of: run) { writer in
            writer.key("handle")
            writer.text(handle)
            if let host {
                writer.key("where")
                writer.text(host)
            }
        }
    }

    public static func failed(_ run: Run, _ error: ErrorClass, _ message: String) -> Answer {
        Answer(of: run) { writer in
            writer.key("error")
            writer.string(error.rawValue)
            writer.key("message")
            writer.text(message)
        }
    }

    public static func state(_ run: Run, _ word: EngineWord) -> Answer {
        Answer(of: run) { word.write(to: &$0) }
    }

    /// The run was asked to end, or there is nothing to ask.
    public static func asked(_ run: Run, isGone: Bool = false) -> Answer {
        Answer(of: run) { writer in
            writer.key("state")
            writer.string(isGone ? "gone" : "asked")
        }
    }

    /// One finding of `check`.
    public static func check(_ name: String, isFine: Bool, _ message: String) -> Answer {
        var writer = JSONWriter(reserving: 256)
        writer.beginObject()
        writer.key("check")
        writer.string(name)
        writer.key("ok")
        writer.boolean(isFine)
        writer.key("message")
        writer.text(message)
        writer.endObject()
        return Answer(bytes: writer.bytes)
    }

    /// The only line for a daemon of another version.
    public static func speaks(_ version: Int64) -> Answer { Answer(bytes: Array("{\"protocol\":\(version)}".utf8)) }

    private init(bytes: [UInt8]) { self.bytes = bytes }
}

/// The word of an engine about one run.
public struct EngineWord: Sendable, Equatable {
    public var state: EngineState
    public var handle: String?
    /// The engine's reason for waiting, in its own word.
    public var why: String?
    /// The number of jobs before it in the queue.
    public var position: Int64?
    public var host: String?
    public var exit: Int32?
    public var signal: Int32?
    public var reason: EndReason?
    /// For people: the engine and its own word.
    public var message: String?

    public init(
        _ state: EngineState, handle: String? = nil, why: String? = nil, position: Int64? = nil, host: String? = nil, exit: Int32? = nil,
        signal: Int32? = nil, reason: EndReason? = nil, message: String? = nil
    ) {
        self.state = state
        self.handle = handle
        self.why = why
        self.position = position
        self.host = host
        self.exit = exit
        self.signal = signal
        self.reason = reason
        self.message = message
    }

    func write(to writer: inout JSONWriter) {
        func text(_ key: String, _ value: String?) {
            guard let value else { return }
            writer.key(key)
            writer.text(value)
        }
        func number(_ key: String, _ value: Int64?) {
            guard let value else { return }
            writer.key(key)
            writer.integer(value)
        }
        text("state", state.rawValue)
        text("handle", handle)
        text("why", why)
        number("position", position)
        text("host", host)
        number("exit", exit.map(Int64.init))
        number("signal", signal.map(Int64.init))
        text("reason", reason?.rawValue)
        text("message", message)
    }
}

extension JSONWriter {
    /// A text that others wrote, cut when it is long.
    fileprivate mutating func text(_ text: String) {
        guard text.utf8.count > Answer.textBytesMax else { return string(text) }
        var cut = ""
        for character in text {
            if cut.utf8.count + character.utf8.count > Answer.textBytesMax { break }
            cut.append(character)
        }
        string(cut + "…")
    }
}
