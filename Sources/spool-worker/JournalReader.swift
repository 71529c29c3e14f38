import Linux
import WorkerProtocol

/// journald, which gets each line as a message with the fields of the job.
struct JournalReader: OutputReader {
    /// sd-daemon(3): the level of a line that begins without one.
    private static let information: UInt8 = 6

    private let socket: JournalSocket
    private let fields: [String]
    let pieceBytes = 1 << 20
    let takesSingleLines = true
    let readBytes = 1 << 20
    /// A full journal has read its socket's queue, of some hundred messages, after about this time.
    let fullWaitMilliseconds: Int64 = 20

    init(_ journal: JournalTarget) {
        socket = JournalSocket(path: journal.socket)
        fields = journal.fields
    }

    func take(_ piece: OutputPiece, of stream: String, upTo end: Int64) -> JournalSocket.Answer {
        var text = piece.text[...]
        var level = Self.information
        if text.count >= 3, text[text.startIndex] == UInt8(ascii: "<"), text[text.startIndex + 2] == UInt8(ascii: ">"),
            (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(text[text.startIndex + 1])
        {
            level = text[text.startIndex + 1] - UInt8(ascii: "0")
            text = text.dropFirst(3)
        }
        guard !text.isEmpty else { return .taken }
        return socket.send(message(text, level: level, of: stream))
    }

    private func message(_ text: some Collection<UInt8>, level: UInt8, of stream: String) -> JournalMessage {
        var message = JournalMessage()
        message.add("MESSAGE", text)
        message.add("PRIORITY", "\(level)")
        message.add("SPOOL_STREAM", stream)
        for field in fields {
            guard let equals = field.firstIndex(of: "=") else { continue }
            message.add(String(field[..<equals]), String(field[field.index(after: equals)...]))
        }
        return message
    }

    func miss(_ count: Int64, of stream: String) {
        _ = socket.send(message("[spoold: the journal did not take \(count) bytes of \(stream)]".utf8, level: 4, of: stream))
    }

    func finish() {}
}
