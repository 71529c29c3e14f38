import Documents
import Store

/// The keys of a schedule that say when, in the place of those that another schedule has. Its other keys stay, such as the time zone.
struct ScheduleReplacement {
    let given: ScheduleOptions.Given
    /// The keys that say when the old schedule was due, and those that belong to them.
    private let gone: [String]

    init(_ given: ScheduleOptions.Given) {
        self.given = given
        gone = (ScheduleDefinition.whenKeys + ["from", "dtstart", "exdate", "paths"]).filter { given.table[$0] == nil }
    }

    func apply(to table: inout Table) {
        for key in gone { table.remove(key) }
        for entry in given.table.entries { table.set(entry.key, entry.value) }
    }

    func apply(to editor: inout TOMLEditor) throws(DocumentError) {
        for key in gone { editor.remove(key) }
        for entry in given.table.entries { try editor.set(entry.key, to: entry.value) }
    }
}

/// A schedule's file in schedules/, and changes to its text.
struct ScheduleEdit: DefinitionText {
    let session: Session
    let file: String
    let source: Source
    let fs: DiskFileSystem

    private var id: String { Layout.stem(of: file) }
    var label: String { "schedule \(id)" }
    var path: String { "\(Layout.schedules)/\(file)" }

    init(_ session: Session, _ file: String) throws(Failure) {
        self.session = session
        self.file = file
        fs = try session.openSpoolForWriting()
        let path = "\(Layout.schedules)/\(file)"
        guard case .text(let bytes) = try fs.before(path) else { throw Failure(ExitCode.failed, "\(path) cannot be read now; try again") }
        source = Source(format: file.hasSuffix(".json") ? .json : .toml, bytes: bytes)
    }

    /// The text with other keys that say when. Its id is the name of the file, and stays.
    func replaced(by replacement: ScheduleReplacement) throws(Failure) -> Source {
        let given = replacement.given
        guard given.id == nil || given.id == id else {
            throw .usage(
                "the id of this schedule is the name of its file, \(path), and update keeps it; "
                    + "spoolctl unschedule \(id) and spoolctl schedule give another")
        }
        var withoutID = given
        withoutID.table.remove("id")
        let replacement = ScheduleReplacement(withoutID)
        return try edited { (editor: inout TOMLEditor) throws(DocumentError) in
            try replacement.apply(to: &editor)
        } json: { root in
            replacement.apply(to: &root)
        }
    }

    /// Refuses a text that the daemon would refuse.
    func check(_ changed: Source) throws(Failure) {
        let context = try session.context()
        let spool = Spool(fs, host: "")
        let text = DefinitionFile(file: file, stem: id, source: changed, changedAt: session.now)
        let judged = try attempt { () throws(SystemError) in try spool.schedulesInForce(as: [text], context) }
        let problems = judged.flatMap(\.problems)
        if !problems.isEmpty { throw Failure(ExitCode.invalid, problems) }
    }

    /// Adds a new text to a change of several files.
    func add(_ changed: Source, to change: inout DefinitionChange) throws(Failure) {
        try change.add(changed.bytes, at: path, over: .text(source.bytes))
    }
}
