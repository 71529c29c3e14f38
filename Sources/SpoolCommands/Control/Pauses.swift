import Store

/// What is paused, as the tree says also when no daemon has seen it.
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
    func scope(mayBeGone: Bool = false) throws(Failure) -> PauseScope {
        try noOperands()
        let queue = arguments.value("queue")
        let task = arguments.value("task")
        if queue != nil, task != nil { throw .usage("--queue and --task are two pauses; ask for each") }
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

    /// Prints what was paused or resumed, named as in `status --json`.
    func printPause(_ scope: PauseScope, _ more: (inout JSONWriter) -> Void) {
        output.jsonObject { writer in
            writer.member("scope", scope.text)
            more(&writer)
        }
    }
}
