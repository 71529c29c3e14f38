import CLinux
import ExecutorProtocol
import Executors
import Glibc
import Linux

/// One job on its way to another host.
///
///     make ─> the files ─> keep ─> place.TRY is written here ─> begin ─> answered
///
/// Invariants:
/// - Before `place.TRY` is on this machine's disk, nothing is started anywhere: what fails until then is tried `later`, on any host.
/// - Afterwards only that host is asked, in that directory, which is not made again: see ``FarRun``.
/// - The directory's name is in the draft, `.place.TRY.draft`, from the first attempt on, so a later one goes on where the files ended.
final class FarSubmission {
    let item: Submission
    let host: HostName
    private let directory: String
    private let files: [SentFile]
    private let call: SSHCall
    private let marks: LocalMarks
    private var session: FarSession?
    private var isClaimed = false
    private var isAnswered = false {
        didSet { hasEnded() }
    }
    /// Called once, when the job is answered.
    var hasEnded: () -> Void = {}

    init(_ item: Submission, to host: HostName, directory: String, files: [SentFile], _ marks: consuming LocalMarks, _ call: SSHCall) {
        self.item = item
        self.host = host
        self.directory = directory
        self.files = files
        self.marks = marks
        self.call = call
    }

    /// Begins, when the other side has greeted.
    func send(over session: FarSession, _ hello: FarAnswers.Hello) {
        self.session = session
        session.ask("make", directory, SSHCall.randomName()) { words in
            guard words.count == 2, words[0] == "made" else {
                return self.answer(.later, "\(self.host): \(hello.base) cannot be written")
            }
            self.sendFile(0, home: words[1], hello)
        }
    }

    /// Called when the connection has ended before everything was done, with the reason.
    func failed(_ why: String) {
        guard !isAnswered else { return }
        if isClaimed { answer(.unknown, why) } else { answer(.later, why) }
    }

    // MARK: Files

    private func sendFile(_ index: Int, home: String, _ hello: FarAnswers.Hello) {
        guard let session else { return }
        guard index < files.count else {
            return session.ask("keep", directory) { words in if words == ["kept"] { self.claim(home: home, hello) } }
        }
        let file = files[index].resolved(FarSurroundings(hello, directory: directory))
        let next = { self.sendFile(index + 1, home: home, hello) }
        if file.size <= Self.chunk { return sendPart(of: file, from: 0, then: next) }
        // A long one may be there in part.
        session.ask("size", directory, file.name, file.tag) { words in
            let there = words.count == 2 && words[0] == "size" ? max(0, Int64(words[1]) ?? 0) : 0
            self.sendPart(of: file, from: min(there, file.size - 1) / 65_536 * 65_536, then: next)
        }
    }

    /// Sends a file part by part. Each part waits for the answer to the one before.
    private func sendPart(of file: SentFile, from: Int64, then next: @escaping () -> Void) {
        guard let session else { return }
        let count = min(Self.chunk, file.size - from)
        if from > 0 && !call.time.isLeft {
            return answer(.later, "\(from) of \(file.size) bytes of its input are on \(host)")
        }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try file.read(from: from, count: Int(count)) } catch {
            return answer(.refused, "\(file.what): \(error)")
        }
        guard bytes.count == count else { return answer(.later, "\(file.what): became shorter while it was sent") }
        let end = from + count
        session.ask(
            "put", directory, file.name, file.tag, String(from), String(count), String(file.size), bytes: bytes
        ) { words in
            guard words == ["there"] else { return self.answer(.later, "\(self.host): \(file.name) cannot be written") }
            if end == file.size { next() } else if !self.isAnswered { self.sendPart(of: file, from: end, then: next) }
        }
    }

    private static let chunk = Int64(4 << 20)

    // MARK: The start

    private func claim(home: String, _ hello: FarAnswers.Hello) {
        guard !isAnswered, let session else { return }
        let place = FarPlace(host: host, directory: directory, home: home, boot: hello.boot, outputLimit: item.outputLimit)
        do throws(SystemError) {
            let name = FarPlace.fileName(attempt: item.run.attempt)
            if try marks.claim(name, Array(place.text.utf8)) != nil {
                return answer(.later, "another call submits it at the same time, or cancels it")
            }
            isClaimed = true
            // Nothing of this try can be here yet.
            try marks.clearOutput()
            try marks.remove(FarSubmission.draftName(item.run.attempt))
        } catch { return answer(isClaimed ? .unknown : .later, "\(error)") }
        session.ask("begin", directory, String(item.run.attempt)) { words in
            switch words.first {
            case "begun":
                // The mark is written again by a poll if that fails.
                do throws(SystemError) { try self.marks.markStart(host: words.count > 1 ? words[1] : nil) } catch {
                    Told.person("\(self.item.run.id): \(error)")
                }
                self.answer(place)
            case "waiting": self.answer(place)
            default: self.answer(.unknown, "\(self.host) has no \(self.directory)")
            }
        }
    }

    static func draftName(_ attempt: Int64) -> String { ".place.\(attempt).draft" }

    // MARK: Answers

    private func answer(_ error: ErrorClass, _ message: String) {
        guard !isAnswered else { return }
        isAnswered = true
        Told.answer(.failed(item.run, error, message))
    }

    private func answer(_ place: FarPlace) {
        guard !isAnswered else { return }
        isAnswered = true
        Told.answer(.submitted(item.run, handle: place.handle, host: place.host.text))
    }
}
