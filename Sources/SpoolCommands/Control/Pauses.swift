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

    /// The scope that the options name. `mayBeGone`: the task may be missing, so that the pause of a deleted task can be removed.
    func scope(mayBeGone: Bool = false) throws(Failure) -> PauseScope {
        try noOperands()
        let queue = arguments.value("queue")
        let task = arguments.value("task")
        if queue != nil, task != nil { throw .usage("--queue and --task are two pauses; call spoolctl once for each") }
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

    /// Prints a pause as JSON, with its scope as in `status --json`.
    func printPause(_ scope: PauseScope, _ more: (inout JSONWriter) -> Void) {
        output.jsonObject { writer in
            writer.member("scope", scope.text)
            more(&writer)
        }
    }
}
