import CLinux
import Glibc
import Linux
import Store

extension SpoolCommand {
    static let edit = SpoolCommand(
        "edit", "NAME|ID", "edit a task, a new task, or a job that has not started, and check it before it takes effect",
        details: [
            """
            Opens a copy of the file in $VISUAL, else $EDITOR, else vi. The saved copy is checked and then replaces the file. When the \
            copy is invalid, spoolctl says why and offers to edit it again. Without a terminal the copy is kept, and nothing is changed.
            """,
            """
            The name of a task that does not exist begins one from a template; a template that is left unchanged creates nothing. An ID, \
            or the name of a job when no task has the name, edits the waiting job, which is left unchanged if it has started meanwhile.
            """,
        ],
        examples: [
            Example("EDITOR=nano spoolctl edit backup", "uses another editor"),
            Example("spoolctl edit k3f9ab", "a job that waits"),
        ]
    ) { session throws(Failure) in
        let name = try session.operand("a task's NAME or a job's ID")
        if try TaskCatalog(session, withSchedules: false).names().contains(name) {
            return try Edit(session, try TaskEdit(session, name)).run()
        }
        var records = try session.records()
        if let job = try session.findJob(name, &records, preferring: [.new]) {
            return try Edit(session, try JobEdit(session, session.say(job))).run()
        }
        guard Name.isValid(name) else { throw .notFound("there is no task or job \"\(name)\"") }
        session.complain("there is no task \"\(name)\" yet: this begins one")
        return try Edit(session, try NewTask(session, name)).run()
    }
}

/// A task that does not exist yet, from a template.
private struct NewTask: DefinitionEdit {
    let session: Session
    let name: String
    let source: Source
    private let fs: DiskFileSystem

    var label: String { "task \(name)" }
    var file: String { "\(name).toml" }
    var path: String { "\(Layout.tasks)/\(file)" }

    init(_ session: Session, _ name: String) throws(Failure) {
        self.session = session
        self.name = name
        fs = try session.openSpoolForWriting()
        let template = """
            # Task \(name): what runs, and when. spool(5) has all keys. When this file is left unchanged, no task is created.

            # A string is a line for the shell. A list runs without one: ["/usr/local/bin/backup", "--all"]
            command = ""

            # timeout = "1h"
            # mail = "root"

            # spool-schedule(7) has the other ways to say when: calendar, every, at, rrule, pattern, on_path.
            # [[schedule]]
            # cron = "30 2 * * *"
            # timezone = "local"

            """
        source = Source(format: .toml, bytes: Array(template.utf8))
    }

    func write(_ changed: Source) throws(Failure) -> [ScheduleDefinition] {
        let context = try session.context()
        let task: TaskDefinition
        do throws(Problems) {
            task = try TaskDefinition(name: name, source: changed, context)
            try task.checkRun(context)
        } catch {
            throw Failure(file: path, error)
        }
        try ScheduleOptions.refusePast(task.schedules, now: session.now, said: path)
        guard try DefinitionWriting(fs: fs, directory: Layout.tasks).add(changed, stem: name) else {
            throw Failure(ExitCode.failed, "task \"\(name)\" was created by another program meanwhile; spoolctl edit \(name) changes it")
        }
        return task.schedules
    }

    func report(_ changed: Source) throws(Failure) {
        session.printTask(name, change: "created task \(session.qualified(name))")
        try session.remarkNextDue(ofChanged: name)
    }
}

private struct Edit {
    let session: Session
    let edit: any DefinitionEdit
    let copy: EditedCopy

    init(_ session: Session, _ edit: any DefinitionEdit) throws(Failure) {
        self.session = session
        self.edit = edit
        copy = try EditedCopy(session, edit)
    }

    func run() throws(Failure) -> Int32 {
        while true {
            let isEdited = try openEditor()
            let bytes = try copy.read()
            if bytes == edit.source.bytes {
                copy.remove()
                session.complain(isEdited ? "nothing was changed" : "the editor failed; \(edit.label) was not changed")
                return isEdited ? ExitCode.done : ExitCode.failed
            }
            guard isEdited else {
                throw Failure(ExitCode.failed, "the editor failed; \(edit.label) was not changed, and your text is kept in \(copy.path)")
            }
            do throws(Failure) {
                let edited = Source(format: edit.source.format, bytes: bytes)
                session.warn(about: try edit.write(edited))
                copy.remove()
                for line in try UnzonedInstants(session, in: edited, butNotIn: edit.source).lines { session.complain(line) }
                try edit.report(edited)
                return ExitCode.done
            } catch {
                for line in error.lines { session.complain(line) }
                if isatty(STDIN_FILENO) == 1, session.asks("Edit it again?") { continue }
                session.complain("\(edit.label) was not changed; your text is kept in \(copy.path)")
                return error.code
            }
        }
    }

    /// Runs the editor. A shell splits its command line, as git and crontab do, so that it may have options. False when the editor failed.
    private func openEditor() throws(Failure) -> Bool {
        session.output.flush()
        let editor = environment("VISUAL") ?? environment("EDITOR") ?? "vi"
        let pid = try session.asCaller { () throws(Failure) in
            try attempt { () throws(SystemError) in
                try Process.spawn(
                    "/bin/sh", arguments: ["sh", "-c", "\(editor) \"$1\"", "sh", copy.path], environment: environmentAssignments(),
                    descriptors: [(0, 0), (1, 1), (2, 2)])
            }
        }
        return exitStatus(of: pid) == 0
    }
}

/// The copy of a file that the editor opens, in a directory of its own. Both belong to the caller, and the editor runs as the
/// caller, also when the task is another user's: that user must not control a program on the caller's terminal.
private struct EditedCopy {
    let session: Session
    let path: String
    private let directory: String

    init(_ session: Session, _ edit: any DefinitionEdit) throws(Failure) {
        self.session = session
        var spool = session.spoolPath
        if session.acting != nil, let owner = session.owner { spool = UserPart.spool(ofPart: spool, of: owner.name) }
        // In this directory the editor's own backup files are private too.
        let directory = "\(spool)/\(Layout.temporary)/\(Base32.encode(.random(in: 0...(.max)), characters: 8)).edit"
        let path = "\(directory)/\(edit.file)"
        (self.directory, self.path) = (directory, path)
        try session.asCaller { () throws(Failure) in
            try attempt { () throws(SystemError) in
                if mkdir(directory, 0o700) != 0 { throw SystemError(call: "mkdir", path: directory, errno: errno) }
                try FileDescriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).write(edit.source.bytes)
            }
        }
    }

    func read() throws(Failure) -> [UInt8] {
        try session.asCaller { () throws(Failure) in
            try attempt { () throws(SystemError) in try FileDescriptor.open(path, O_RDONLY).readAll(limit: Source.bytesMax) }
        }
    }

    func remove() {
        session.asCaller {
            // A directory that cannot be removed is litter in tmp/, which fsck reports.
            guard let parent = try? Directory.open("/") else { return }
            try? parent.removeTree(directory)  // litter, as above
        }
    }
}
