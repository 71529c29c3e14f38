import Store

/// The display of `wait --progress`: a bar on a terminal; in a pipe a line for each change, with id, fraction and message.
final class ProgressDisplay {
    private let session: Session
    private let count: Int
    private var known: [String: Progress] = [:]
    private var ended: Set<String> = []
    private var message = ""
    private var isShown = false

    init(_ session: Session, count: Int) {
        self.session = session
        self.count = count
    }

    private var isBar: Bool { session.output.canRewrite && !session.isJSON }

    /// Takes a job's present progress and state.
    func take(_ status: JobStatus) {
        let progress = status.progress
        let isNews = progress != nil && progress != known[status.id]
        known[status.id] = progress
        if isNews { message = progress?.message ?? "" }
        let hasEnded = status.state.isTerminal && ended.insert(status.id).inserted
        if isBar {
            if isNews || hasEnded || !isShown { draw() }
        } else if isNews, let progress {
            write(status.id, progress)
        }
    }

    private func write(_ id: String, _ progress: Progress) {
        if session.isJSON {
            session.output.jsonObject { writer in
                writer.member("id", id)
                writer.key("progress")
                progress.write(to: &writer)
            }
        } else {
            session.output.line("\(id)\t\(progress.fraction)\t\(Output.oneLine(progress.message ?? ""))")
        }
        session.output.flush()
    }

    // MARK: The bar

    private static let width = 30

    private func draw() {
        // A job that has ended counts as complete, whatever its last progress was.
        let open = known.lazy.filter { !self.ended.contains($0.key) }.map(\.value.fraction).reduce(0, +)
        let fraction = min(1, (open + Double(ended.count)) / Double(max(1, count)))
        let full = Int((fraction * Double(Self.width)).rounded(.down))
        let bar = String(repeating: "#", count: full) + String(repeating: "-", count: Self.width - full)
        let percent = String(Int((fraction * 100).rounded(.down)))
        var line = "[\(bar)] \(String(repeating: " ", count: max(0, 3 - percent.count)))\(percent)%"
        if count > 1 { line += "  \(ended.count) of \(count) ended" }
        if !message.isEmpty { line += "  \(Output.oneLine(message))" }
        // A wrapped line cannot be erased, so the line is cut.
        session.output.control("\r\u{1B}[K\(line.prefix(session.output.columns - 1))")
        session.output.flush()
        isShown = true
    }

    /// Erases the bar before a message is printed.
    func clear() {
        guard isShown else { return }
        session.output.control("\r\u{1B}[K")
        session.output.flush()
        isShown = false
    }
}
