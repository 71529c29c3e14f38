import Store

extension Command {
    private static let scopes = [
        Option("queue", "Q", value: "NAME", "one queue"),
        Option("task", value: "NAME", "one task"),
    ]

    static let pause = Command(
        "pause", "[--queue Q | --task NAME] [--note TEXT]", "start no more jobs, of all, a queue or a task",
        details: ["What runs goes on. The pause is a file in control/ whose text is the note that everything shows; it holds until resume removes it, also over restarts."],
        options: scopes + [Option("note", value: "TEXT", "why, for those who look")],
        examples: [Example("spoolctl pause --queue heavy --note 'until the disk is replaced'", "one queue, with the reason")]
    ) { session throws(Failure) in
        let scope = try session.scope()
        let note = session.arguments.value("note") ?? ""
        guard note.utf8.count <= 4096 else { throw .invalid("--note: is longer than 4096 bytes") }
        try session.pause(scope, note: note)
        session.output.did("paused \(scope.spoken())")
        if session.isJSON {
            session.tell(scope) { $0.member("note", note) }
        } else if session.output.isTerminal, !session.isQuiet {
            session.output.line("paused \(scope.spoken())")
        }
        return ExitCode.done
    }

    static let resume = Command(
        "resume", "[--queue Q | --task NAME]", "end a pause",
        options: scopes,
        examples: [Example("spoolctl resume --queue heavy", "the queue's jobs start again")]
    ) { session throws(Failure) in
        let scope = try session.scope(mayBeGone: true)
        let wasPaused = try session.resume(scope)
        if wasPaused { session.output.did("resumed \(scope.spoken())") }
        if !wasPaused {
            if case .task(let name) = scope { _ = try TaskCatalog(session, withSchedules: false).entry(name) }
            session.complain("\(scope.spoken()) is not paused")
        }
        if session.isJSON {
            session.tell(scope) { $0.member("was_paused", wasPaused) }
        } else if wasPaused, session.output.isTerminal, !session.isQuiet {
            session.output.line("resumed \(scope.spoken())")
        }
        return ExitCode.done
    }
}

extension Session {
    /// Prints what was paused or resumed, named as in `status --json`.
    fileprivate func tell(_ scope: PauseScope, _ more: (inout JSONWriter) -> Void) {
        var writer = JSONWriter(reserving: 128)
        writer.beginObject()
        writer.member("scope", scope.text)
        more(&writer)
        writer.endObject()
        output.line(String(decoding: writer.bytes, as: UTF8.self))
    }

    /// Pauses, in place of a pause that is there already.
    func pause(_ scope: PauseScope, note: String) throws(Failure) {
        let fs = try openSpoolForWriting()
        try attempt { () throws(SystemError) in
            let temporary = "\(Layout.temporary)/\(Base32.encode(.random(in: 0...(.max)), characters: 8)).\(scope.text)"
            try fs.create(temporary, Array((note.isEmpty ? "" : note + "\n").utf8), mode: 0o600)
            try fs.sync(temporary)
            try fs.rename(temporary, to: "\(Layout.control)/\(scope.text)")
            try fs.sync(Layout.control)
        }
    }

    /// Ends a pause; false when there was none.
    func resume(_ scope: PauseScope) throws(Failure) -> Bool {
        let fs = try openSpool()
        return try attempt { () throws(SystemError) -> Bool in
            do throws(SystemError) { try fs.removeFile("\(Layout.control)/\(scope.text)") } catch {
                if error.errno == SystemError.noSuchFile { return false }
                throw error
            }
            try fs.sync(Layout.control)
            return true
        }
    }

    /// What is to be paused. `mayBeGone`: the pause of a task that was deleted must still be possible to end.
    fileprivate func scope(mayBeGone: Bool = false) throws(Failure) -> PauseScope {
        try noOperands()
        let queue = arguments.value("queue")
        let task = arguments.value("task")
        if queue != nil, task != nil { throw .usage("--queue and --task are two pauses; ask for each") }
        if let queue {
            guard Name.isValid(queue) else { throw .invalid("--queue: \"\(queue)\" is not a name") }
            return .queue(queue)
        }
        if let task {
            guard Name.isValid(task) else { throw .invalid("--task: \"\(task)\" is not a name") }
            if !mayBeGone { _ = try TaskCatalog(self, withSchedules: false).entry(task) }
            return .task(task)
        }
        return .all
    }
}
