import CLinux
import ExecutorProtocol
import Executors
import Glibc
import Linux

/// One run on another host during a call of `poll`, `logs`, `find` or `cancel`: its state, its output, its end.
///
/// Invariants:
/// - The bytes of an output file have the same places here and there, so the size of the file here says which bytes are missing, and a
///   call that is killed leaves at most fewer bytes.
/// - The end mark is written when all output and the result are here, and the directory on the other host is removed after it.
/// - A run that has ended, and whose output needs more than one piece, is answered as running before the rest is brought: it was asked
///   about and the host has answered, however long the rest takes. The end mark tells its end.
final class FarRun {
    /// The reason for which a run is looked at.
    enum Purpose {
        /// Its state, and whatever has come since.
        case poll
        /// Its state, and its end if it has ended.
        case find
        /// Its output alone. A call of another purpose may be under way beside it, which writes the same bytes to the same places.
        case logs
    }

    let run: Run
    let place: FarPlace
    private let session: FarSession
    private let call: SSHCall
    private let marks: LocalMarks
    private let purpose: Purpose
    private let answered: (EngineWord) -> Void
    private var isAnswered = false

    /// `answered` is called once, when the state is known; for a run that has ended, when its end mark is here or will be late.
    init(
        _ run: Run, at place: FarPlace, _ marks: consuming LocalMarks, _ session: FarSession, _ call: SSHCall,
        for purpose: Purpose, answered: @escaping (EngineWord) -> Void
    ) {
        self.run = run
        self.place = place
        self.marks = marks
        self.session = session
        self.call = call
        self.purpose = purpose
        self.answered = answered
    }

    private var attempt: String { String(run.attempt) }

    // MARK: State

    func look() { ask("state", attempt) { self.took($0) } }

    /// Takes the words of an answer to `state` or `begin`.
    func took(_ words: [String]) {
        guard purpose != .logs else {
            if ["running", "dead", "ended"].contains(words.first) { bring(0, isLast: false) }
            return
        }
        carefully {
            switch words.first {
            case "absent":
                // Nobody but spoold removes the directory, and only after the end. It may have begun, so it must not begin again.
                try marks.markStart(host: place.host.text)
                answer(.gone, nil, "\(place.host) has no ~/.spoold/\(place.directory) any more")
            // The start mark that is gone there is here: a power cut took it, and the command must not begin again.
            case "waiting" where marks.hasStarted, "dead":
                try marks.markStart(host: place.host.text)
                answer(.ended, .nodeFail, deathSentence)
                if purpose == .poll { bring(0, isLast: false) }
            case "waiting": ask("begin", attempt) { self.began($0) }
            case "starting": answer(.pending)
            case "running": try runs(words)
            case "ended": bring(0, isLast: true)
            default: break
            }
        }
    }

    private func began(_ words: [String]) {
        carefully {
            if words.first == "begun" { try runs(words) } else if words.first == "waiting" { answer(.pending) } else { took(words) }
        }
    }

    private func runs(_ words: [String]) throws(SystemError) {
        try marks.markStart(host: fact(words, 1) ?? place.host.text, pid: fact(words, 2), at: fact(words, 3))
        answer(.running)
        if purpose == .poll { bring(0, isLast: false) }
    }

    /// A fact of the start that the wrapper wrote, if it is one word as such a file holds it.
    private func fact(_ words: [String], _ index: Int) -> String? {
        guard words.count > index, words[index] != "-", words[index].utf8.count <= 255 else { return nil }
        let isPlain = words[index].utf8.allSatisfy { byte in byte > 0x20 && byte < 0x7F }
        return isPlain ? words[index] : nil
    }

    private var deathSentence: String {
        if let then = place.boot, let now = session.hello?.boot, then != now { return "\(place.host) was restarted while it ran" }
        return "its wrapper on \(place.host) was killed"
    }

    // MARK: Output

    /// The files of a run that are brought while it runs, in this order; and those that are brought at its end.
    private static let outputs = ["stdout", "stderr"]

    private func bring(_ index: Int, isLast: Bool) {
        guard index < Self.outputs.count else {
            if purpose != .logs { bringProgress(isLast: isLast) }
            return
        }
        let name = Self.outputs[index]
        bringMore(name, isLast: isLast) { self.bring(index + 1, isLast: isLast) }
    }

    /// Brings what is missing of an output, then calls `next`. Past the limit, the beginning is brought, and at the end the rest.
    private func bringMore(_ name: String, isLast: Bool, then next: @escaping () -> Void) {
        carefully {
            let output = try marks.output(name)
            let here = output.size
            let limit = place.outputLimit
            let most = limit > 0 ? max(0, min(limit - here, Self.chunk)) : Self.chunk
            get(name, from: here, most: most) { bytes, size in
                guard let size else { return next() }
                // An empty file is output too.
                if !bytes.isEmpty || here == 0, try !self.marks.add(bytes, to: output, name) {
                    if !self.marks.hasEnded, self.call.time.isLeft { self.bringMore(name, isLast: isLast, then: next) }
                    return
                }
                let has = here + Int64(bytes.count)
                let isTooLarge = limit > 0 && size > limit
                if has < (isTooLarge ? (isLast ? limit / 2 : limit) : size), !bytes.isEmpty {
                    self.answer(.running)
                    if self.call.time.isLeft { self.bringMore(name, isLast: isLast, then: next) }
                } else if isTooLarge && isLast {
                    let (rest, place) = try self.marks.beginCut(name, jobID: self.run.id, size: size, limit: limit)
                    self.bringRange(name, rest, to: "\(name).part", at: place) {
                        try self.marks.rename("\(name).part", to: name)
                        next()
                    }
                } else if !isLast || has >= size {
                    next()
                } else {
                    Told.person("\(self.run.id): \(name) on \(self.place.host) cannot be read")
                }
            }
        }
    }

    /// Brings a range of a file to a place in another one.
    private func bringRange(
        _ name: String, _ range: Range<Int64>, to file: String, at place: Int64, then next: @escaping () throws -> Void
    ) {
        guard !range.isEmpty else { return carefully { try next() } }
        if Int64(range.count) > Self.chunk { answer(.running) }
        guard call.time.isLeft else { return answer(.running) }
        get(name, from: range.lowerBound, most: min(Self.chunk, Int64(range.count))) { bytes, _ in
            if bytes.isEmpty { return Told.person("\(self.run.id): \(name) on \(self.place.host) cannot be read") }
            try self.marks.write(bytes, to: file, at: place)
            let count = Int64(bytes.count)
            self.bringRange(name, range.lowerBound + count..<range.upperBound, to: file, at: place + count, then: next)
        }
    }

    private func bringProgress(isLast: Bool) {
        get("progress", from: 0, most: Self.progressBytesMax) { bytes, size in
            if size != nil, size! <= Self.progressBytesMax, try self.marks.read("progress", limit: 1 << 20) != bytes {
                try self.marks.replace("progress", bytes)
            }
            if isLast { self.bringResult() }
        }
    }

    private func bringResult() {
        get("result", from: 0, most: Self.chunk) { bytes, size in
            guard let size else { return self.bringEnd() }
            try self.marks.remove("result.part")
            if !bytes.isEmpty || size == 0 { try self.marks.write(bytes, to: "result.part", at: 0) }
            let count = Int64(bytes.count)
            self.bringRange("result", count..<max(count, size), to: "result.part", at: count) {
                try self.marks.rename("result.part", to: "result")
                self.bringEnd()
            }
        }
    }

    private func bringEnd() {
        get("end.\(attempt)", from: 0, most: Self.endBytesMax) { bytes, size in
            guard size != nil, !bytes.isEmpty else { return }
            try self.marks.markEnd(bytes)
            self.answer(.ended)
            self.ask("remove") { _ in }
        }
    }

    private static let chunk = Int64(FarSide.chunkBytesMax)
    private static let progressBytesMax: Int64 = 16 << 10
    private static let endBytesMax: Int64 = 64 << 10

    // MARK: Asking and answering

    private func ask(_ verb: String, _ words: String..., then: @escaping ([String]) -> Void) {
        session.ask(verb, ([place.directory] + words).joined(separator: " "), then: then)
    }

    private func get(
        _ file: String, from: Int64, most: Int64, then: @escaping (_ bytes: [UInt8], _ size: Int64?) throws -> Void
    ) {
        session.ask("get", [place.directory, file, String(from), String(most)]) { answer in
            if case .data(_, let bytes, let size) = answer { self.carefully { try then(bytes, size) } }
            return false
        }
    }

    /// An error of this machine's disk stops what is done for this run in this call, and is told.
    private func carefully(_ body: () throws -> Void) {
        do { try body() } catch { Told.person("\(run.id): \(error)") }
    }

    private func answer(_ state: EngineState, _ reason: EndReason? = nil, _ message: String? = nil) {
        guard !isAnswered else { return }
        isAnswered = true
        answered(EngineWord(state, handle: place.handle, host: place.host.text, reason: reason, message: message))
    }
}
