import Linux

/// Takes the output of a run besides its files.
protocol OutputReader {
    /// The maximum size of a piece.
    var pieceBytes: Int { get }
    /// True when each piece is one line.
    var takesSingleLines: Bool { get }
    /// The number of bytes of a file of which it may take some now: ``pieceBytes`` at least, or 0 when it takes nothing.
    var readBytes: Int { get }
    /// The time after which it is asked again when it has not taken a piece.
    var fullWaitMilliseconds: Int64 { get }
    /// - Parameter end: the end of the piece in its file.
    func take(_ piece: OutputPiece, of stream: String, upTo end: Int64) -> JournalSocket.Answer
    /// Called when the reader did not take this much in time.
    func miss(_ count: Int64, of stream: String)
    /// Called when no more follows.
    func finish()
}
