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
                if case .file(_, let bytes) = try fs.take("\(Layout.control)/\(entry.name)", limit: 64 << 10, ignoringWriters: true) {
                    note = String(decoding: bytes, as: UTF8.self).trimmed
                }
                found.append((scope, note))
            }
            return found.sorted { $0.scope.text < $1.scope.text }
        }
    }
}
