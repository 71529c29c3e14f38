import CLinux
import Glibc
import Linux
import Store

extension SpoolCommand {
    static let edit = SpoolCommand(
        "edit", "NAME", "edit a task's file, checked before it counts",
        details: [
            "Opens a copy in $VISUAL, else $EDITOR, else vi. What is saved is checked and then put in place whole. When it is wrong, spoolctl says why and offers to edit it again; off a terminal the copy is kept, and the task stays as it was.",
        ],
        examples: [Example("EDITOR=nano spoolctl edit backup", "with another editor")]
    ) { session throws(Failure) in
        let name = try session.operand("a task's NAME")
        return try Edit(session, try TaskEdit(session, name)).run()
    }
}

private struct Edit {
    let session: Session
    let edit: TaskEdit
    let copy: EditedCopy

    init(_ session: Session, _ edit: TaskEdit) throws(Failure) {
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
                session.complain(isEdited ? "nothing was changed" : "the editor failed; the task is as it was")
                return isEdited ? ExitCode.done : ExitCode.failed
            }
            guard isEdited else {
                throw Failure(ExitCode.failed, "the editor failed; the task is as it was, what you wrote is kept in \(copy.path)")
            }
            do throws(Failure) {
                let edited = Source(format: edit.source.format, bytes: bytes)
                session.warn(about: try edit.write(edited)?.schedules ?? [])
                copy.remove()
                for line in try UnzonedInstants(session, in: edited, butNotIn: edit.source).lines { session.complain(line) }
                session.printTask(edit.name, change: "changed task \(session.qualified(edit.name))")
                return ExitCode.done
            } catch {
                for line in error.lines { session.complain(line) }
                if isatty(STDIN_FILENO) == 1, session.asks("Edit it again?") { continue }
                session.complain("the task is as it was; what you wrote is kept in \(copy.path)")
                return error.code
            }
        }
    }

    /// The editor may be a command with options, as git and crontab take it; so a shell takes it apart.
    /// False: it said that it failed.
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

/// What the editor opens: a copy of the task's file in a directory of its own, both the caller's, also where the task is another user's. A
/// program that ran as that user on the caller's terminal could be made to do what the user wants with it.
private struct EditedCopy {
    let session: Session
    let path: String
    private let directory: String

    init(_ session: Session, _ edit: TaskEdit) throws(Failure) {
        self.session = session
        var spool = session.spoolPath
        if session.acting != nil, let owner = session.owner { spool = UserPart.spool(ofPart: spool, of: owner.name) }
        // Beside it, what the editor keeps there is nobody else's, too.
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
            // What remains is litter in tmp/, as fsck says.
            guard let parent = try? Directory.open("/") else { return }
            try? parent.removeTree(directory)  // litter, as above
        }
    }
}
