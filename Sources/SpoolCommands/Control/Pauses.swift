import Store

/// The pauses of a spool: files in control/. Reading and changing them needs no daemon.
enum Pauses {
    static func read(_ fs: DiskFileSystem) throws(Failure) -> [(scope: PauseScope, note: String)] {
        try attempt { () throws(SystemError) in
            var found: [(scope: PauseScope, note: String)] = []
            for entry in try fs.list(Layout.control) {
                guard let scope = PauseScope(text: entry.name) else { continue }
                if try fs.foreignOwner("\(Layout.control)/\(entry.name)") != nil { continue }
                var note = ""
                // The pause holds also when its note cannot be read.
                if case .file(_, let bytes)? = try? fs.take("\(Layout.control)/\(entry.name)", limit: 64 << 10, ignoringWriters: true) {
                    note = String(decoding: bytes, as: UTF8.self).trimmed
                }
                found.append((scope, note))
            }
            return found.sorted { $0.scope.text < $1.scope.text }
        }
    }
}

extension Session {
    /// Writes a pause; replaces the one of the same scope.
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

    /// Removes a pause; false when there was none.
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

    /// The scope that the options or the operand name. `mayBeGone`: the task may be missing, so that the pause of a deleted task can be
    /// removed.
    func scope(mayBeGone: Bool = false) throws(Failure) -> PauseScope {
        let queue = arguments.value("queue")
        let task = arguments.value("task")
        if queue != nil, task != nil { throw .usage("--queue and --task are two pauses; call spoolctl once for each") }
        if !arguments.operands.isEmpty {
            let name = try operand("one NAME")
            if let given = queue ?? task {
                throw .usage("\(command.name) takes NAME, --queue or --task, not both \"\(name)\" and \"\(given)\"")
            }
            return try scope(named: name, ofPauses: mayBeGone)
        }
        if let queue {
            try Name.check(queue, option: "--queue")
            return .queue(queue)
        }
        if let task {
            try Name.check(task, option: "--task")
            if !mayBeGone { _ = try TaskCatalog(self, withSchedules: false).entry(task) }
            return .task(task)
        }
        return .all
    }

    /// The task of a name, or the queue when no task has the name. Refuses a name that both have. `ofPauses`: what is paused counts first.
    private func scope(named name: String, ofPauses: Bool) throws(Failure) -> PauseScope {
        try Name.check(name)
        let fs = try openSpool()
        if ofPauses {
            let paused = try Pauses.read(fs).map(\.scope).filter { $0 == .task(name) || $0 == .queue(name) }
            if paused.count == 1 { return paused[0] }
        }
        let tasks = try attempt { () throws(SystemError) in try Spool(fs, host: "").taskFiles() }.keys
        let queues = try queueNames()
        switch (tasks.contains(name), queues.contains(name)) {
        case (true, true):
            throw .usage("\"\(name)\" is a task and a queue; use --task \(name) or --queue \(name)")
        case (true, false): return .task(name)
        case (false, true): return .queue(name)
        case (false, false): throw .notFound("there is no task or queue \"\(name)\"".suggesting(name, among: queues.union(tasks)))
        }
    }

    /// The queues that exist: those of the configuration, those that tasks name, and `default`.
    func queueNames() throws(Failure) -> Set<String> {
        let context = try context()
        var names: Set<String> = try Set(configuration().queueSlots.keys).union(["default"])
        for entry in try TaskCatalog(self, withSchedules: false).entries() {
            if let job = try? entry.task?.job(context) { names.insert(job.definition.queue) }  // an unusable task has no queue
        }
        return names
    }

    /// Prints a pause as JSON, with its scope as in `status --json`.
    func printPause(_ scope: PauseScope, _ more: (inout JSONWriter) -> Void) {
        output.jsonObject { writer in
            writer.member("scope", scope.text)
            more(&writer)
        }
    }
}
