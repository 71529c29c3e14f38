import CLinux
import Glibc
import Linux
import Store

extension Command {
    static let edit = Command(
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
    let copy: String

    init(_ session: Session, _ edit: TaskEdit) throws(Failure) {
        self.session = session
        self.edit = edit
        copy = "\(session.spoolPath)/\(Layout.temporary)/\(Base32.encode(.random(in: 0...(.max)), characters: 6)).\(edit.file)"
    }

    func run() throws(Failure) -> Int32 {
        try attempt { () throws(SystemError) in
            try FileDescriptor.open(copy, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600).write(edit.source.bytes)
        }
        while true {
            let isEdited = try openEditor()
            let bytes = try attempt { () throws(SystemError) in try FileDescriptor.open(copy, O_RDONLY).readAll(limit: Source.bytesMax) }
            if bytes == edit.source.bytes {
                _ = unlink(copy)
                session.complain(isEdited ? "nothing was changed" : "the editor failed; the task is as it was")
                return isEdited ? ExitCode.done : ExitCode.failed
            }
            guard isEdited else {
                throw Failure(ExitCode.failed, "the editor failed; the task is as it was, what you wrote is kept in \(copy)")
            }
            do throws(Failure) {
                let edited = Source(format: edit.source.format, bytes: bytes)
                session.warn(about: try edit.write(edited)?.schedules ?? [])
                _ = unlink(copy)
                for line in try UnzonedInstants(session, in: edited, butNotIn: edit.source).lines { session.complain(line) }
                session.tell(task: edit.name, "changed task \(edit.name)")
                return ExitCode.done
            } catch {
                for line in error.lines { session.complain(line) }
                if isatty(STDIN_FILENO) == 1, session.asks("Edit it again?") { continue }
                session.complain("the task is as it was; what you wrote is kept in \(copy)")
                return error.code
            }
        }
    }

    /// The editor may be a command with options, as git and crontab take it; so a shell takes it apart.
    /// False: it said that it failed.
    private func openEditor() throws(Failure) -> Bool {
        session.output.flush()
        let editor = environment("VISUAL") ?? environment("EDITOR") ?? "vi"
        var variables: [String] = []
        var entry = environ
        while let text = entry.pointee {
            variables.append(String(cString: text))
            entry += 1
        }
        let pid = try attempt { () throws(SystemError) in
            try Process.spawn(
                "/bin/sh", arguments: ["sh", "-c", "\(editor) \"$1\"", "sh", copy], environment: variables,
                descriptors: [(0, 0), (1, 1), (2, 2)])
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return status == 0
    }
}
