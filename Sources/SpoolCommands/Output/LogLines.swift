import Store

/// Shows both outputs of a job on standard output. A line is of one of them: a line that the other output interrupts is ended first.
final class LogLines {
    /// Lines of standard error begin with a mark.
    var marksErrors = false
    private let session: Session
    private var isInLine = false
    private var isOfErrors = false

    private static let mark = "stderr| "

    init(_ session: Session) { self.session = session }

    /// Writes a piece of the output `file`.
    func write(_ bytes: [UInt8], of file: String) {
        let isError = file == Layout.errorFile
        if isError != isOfErrors { endLine() }
        isOfErrors = isError
        guard isError, marksErrors else { return put(bytes[...]) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.endIndex
            if !isInLine { session.output.write(session.output.coloured(Self.mark, .red)) }
            put(rest[..<end])
            rest = rest[end...]
        }
    }

    func endLine() {
        if isInLine { session.output.write("\n") }
        isInLine = false
    }

    private func put(_ bytes: ArraySlice<UInt8>) {
        session.output.writeOutput(Array(bytes), raw: session.arguments.flag("raw"))
        if let last = bytes.last { isInLine = last != UInt8(ascii: "\n") }
    }
}
