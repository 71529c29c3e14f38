/// A file in `new/` as a job: what its name and its text say.
///
/// The daemon takes a file up by these rules, and readers show it by the same rules before that.
struct DroppedFile {
    let file: String
    /// The id that the file's name is. Nil for another name: then the daemon chooses the id.
    let id: JobID?
    /// The instant of the id, otherwise the file's last change. Never later than now.
    let due: Instant
    private let isExecutable: Bool

    init(_ file: String, _ status: FileStatus, at now: Instant) {
        self.file = file
        id = JobID(Layout.stem(of: file))
        due = min(id?.instant ?? Instant(milliseconds: status.changedNanoseconds / 1_000_000), now)
        isExecutable = status.mode & 0o111 != 0
    }

    /// The name of the job: the one in its id, or the task that its text names, or the name of the file.
    func name(task: String?) -> String { id?.name ?? task ?? Name.sanitized(Layout.stem(of: file)) }

    /// The format of the text. Nil when it has none.
    func format(of bytes: [UInt8]) -> Source.Format? { Source.format(ofFile: file, firstBytes: bytes, isExecutable: isExecutable) }

    /// The reason why a text has no format.
    static func refusal(of bytes: [UInt8]) -> String {
        let (message, hint) = Source.refusal(firstBytes: bytes)
        return message + (hint.map { "; \($0)" } ?? "")
    }
}

extension Layout {
    /// The endings of files with a job's keys.
    private static let endings = [".toml", ".json"]

    /// A file's name without such an ending.
    public static func stem(of file: String) -> String {
        for ending in endings where file.hasSuffix(ending) { return String(Substring(file.utf8.dropLast(ending.utf8.count))) }
        return file
    }

    /// The names that the file or the directory of a waiting job with this id can have in `new/`, in the order in which they are tried.
    public static func waitingNames(of id: String) -> [String] { endings.map { id + $0 } + [id] }
}

extension JobState {
    /// The states in whose directories a job is after it was in `new/`, in the order in which it passes them: a search in this order
    /// does not miss a job that moves meanwhile.
    static let afterNew: [JobState] = [.running, .done, .failed]
}
