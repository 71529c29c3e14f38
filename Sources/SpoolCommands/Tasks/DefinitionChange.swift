import Linux
import Store

/// New texts for files in `tasks/` and `schedules/`, written together, and removals of such files.
///
/// All texts are durable in `tmp/` before the first takes its place, so that a full disk changes nothing. Each text replaces exactly the
/// text that its author has read, and only such a text is removed: a file that another program has changed or created meanwhile is left
/// unchanged. When a later file fails, the error says which files are changed.
struct DefinitionChange {
    /// The earlier text that the author of a new text has read.
    enum Before: Equatable {
        /// There is no file, or another user's file, which does not count.
        case nothing
        case text([UInt8])
        /// Something that cannot be read, such as a link.
        case unreadable
    }

    private struct Step {
        /// In the spool: `tasks/backup.toml`.
        let path: String
        /// The path of the new text; nil when the file is removed.
        let temporary: String?
        let before: Before

        var directory: String { String(path.prefix { $0 != "/" }) }
    }

    private let fs: DiskFileSystem
    private var steps: [Step] = []

    init(_ fs: DiskFileSystem) { self.fs = fs }

    /// Composes a text. After an error none of the texts is left in `tmp/`.
    mutating func add(_ bytes: [UInt8], at path: String, over before: Before) throws(Failure) {
        do throws(SystemError) {
            let temporary = try fs.compose(bytes, for: String(path.split(separator: "/").last ?? "file"))
            steps.append(Step(path: path, temporary: temporary, before: before))
        } catch {
            discard(steps)
            throw Failure(error)
        }
    }

    /// Adds the removal of a file.
    mutating func remove(_ path: String, over before: Before) { steps.append(Step(path: path, temporary: nil, before: before)) }

    /// Carries out the steps in the order in which they were added. The changes of one directory are durable before those of the next.
    func carryOut() throws(Failure) {
        do throws(Failure) { for step in steps { try check(step) } } catch {
            discard(steps)
            throw error
        }
        for index in steps.indices {
            do throws(Failure) {
                if index > 0, steps[index - 1].directory != steps[index].directory { try sync(steps[index - 1]) }
                try carryOut(steps[index])
            } catch {
                discard(steps[index...])
                guard index > 0 else { throw error }
                try? sync(steps[index - 1])  // the first error is reported
                let done = steps[..<index].map(\.path).joined(separator: ", ")
                let rest = steps[index...].map(\.path).joined(separator: ", ")
                throw Failure(error.code, error.lines + ["changed already: \(done); not changed: \(rest)"])
            }
        }
        if let last = steps.last { try sync(last) }
    }

    private func sync(_ step: Step) throws(Failure) { try attempt { () throws(SystemError) in try fs.sync(step.directory) } }

    private func carryOut(_ step: Step) throws(Failure) {
        let present = try attempt { () throws(SystemError) in try fs.status(step.path) }
        guard try check(step) else { return }
        let isDone = try attempt { () throws(SystemError) in
            guard let temporary = step.temporary else { return try remove(step, present) }
            if step.before == .nothing, try create(step.path, from: temporary) { return true }
            return try replace(step, with: temporary, present)
        }
        if !isDone { throw changed(step) }
    }

    /// Refuses a file that is not what its author has read. Returns false for a file that is to be removed and is gone already.
    @discardableResult
    private func check(_ step: Step) throws(Failure) -> Bool {
        let before = try fs.before(step.path)
        if step.temporary == nil, before == .nothing { return false }
        guard before == step.before else { throw changed(step) }
        return true
    }

    private func changed(_ step: Step) -> Failure {
        let what = step.before == .nothing ? "created" : "changed"
        return Failure(ExitCode.failed, "\(step.path) was \(what) by another program meanwhile and is left as it is; try again")
    }

    /// Moves the file aside, and then compares it. Returns false, with that file in its place again, when another program has changed it
    /// since the check.
    private func remove(_ step: Step, _ checked: FileStatus?) throws(SystemError) -> Bool {
        let aside = "\(Layout.temporary)/\(Base32.encode(.random(in: 0...(.max)), characters: 8)).removed"
        do throws(SystemError) { try fs.rename(step.path, to: aside) } catch {
            if error.errno == SystemError.noSuchFile { return true }
            throw error
        }
        let isExpected = isExpected(aside, step.before, checked)
        // A file that was created in its place meanwhile is the newest.
        if !isExpected, try create(step.path, from: aside) { return false }
        try? fs.removeTree(aside)  // the definition is gone; what is left in tmp/ harms nothing
        return isExpected
    }

    /// Returns false when the name is taken.
    private func create(_ path: String, from temporary: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try fs.renameNoReplace(temporary, to: path)
            return true
        } catch {
            if error.errno == SystemError.exists { return false }
            throw error
        }
    }

    /// Exchanges the new text with the file in its place, and then compares that file. Returns false, with that file in its place again,
    /// when another program has changed it since the check: so of two changes at once, one fails.
    private func replace(_ step: Step, with temporary: String, _ checked: FileStatus?) throws(SystemError) -> Bool {
        let own = try fs.status(temporary)
        do throws(SystemError) {
            guard try fs.exchange(temporary, step.path) else {
                // This file system cannot exchange files. A change since the check is lost.
                if step.before == .nothing, try fs.foreignOwner(step.path) == nil { return false }
                try fs.rename(temporary, to: step.path)
                return true
            }
        } catch {
            if error.errno == SystemError.noSuchFile { return false }
            throw error
        }
        if isExpected(temporary, step.before, checked) {
            try? fs.removeTree(temporary)  // litter; the change is made. Another user may have created a directory there.
            return true
        }
        _ = try fs.exchange(temporary, step.path)
        // When another program has replaced the new text meanwhile, its text is the newest.
        if try fs.status(temporary)?.inode != own?.inode { _ = try fs.exchange(temporary, step.path) }
        return false
    }

    /// True when the replaced file, which is in `tmp/` now, is what the author of the new text has read.
    private func isExpected(_ replaced: String, _ before: Before, _ checked: FileStatus?) -> Bool {
        switch before {
        case .nothing: (try? fs.foreignOwner(replaced)) ?? nil != nil  // an error: put back
        case .text: (try? fs.before(replaced)) == before  // an error: put back
        case .unreadable: (try? fs.status(replaced))??.inode == checked?.inode  // an error: put back
        }
    }

    private func discard(_ steps: some Sequence<Step>) {
        for case let temporary? in steps.map(\.temporary) { try? fs.removeFile(temporary) }  // litter; another error is reported
    }
}

extension DiskFileSystem {
    /// The present content of a file in `tasks/` or `schedules/`.
    func before(_ path: String) throws(Failure) -> DefinitionChange.Before {
        switch try attempt({ () throws(SystemError) in try take(path, limit: Source.bytesMax, ignoringWriters: true) }) {
        case .missing, .foreign: .nothing
        case .file(_, let bytes): .text(bytes)
        default: .unreadable
        }
    }

    /// Writes a durable text into `tmp/`, for a rename to `file`. Returns its path. After an error nothing is left there.
    func compose(_ bytes: [UInt8], for file: String, mode: UInt32 = 0o600) throws(SystemError) -> String {
        let temporary = "\(Layout.temporary)/\(Base32.encode(.random(in: 0...(.max)), characters: 8)).\(file)"
        do throws(SystemError) {
            try create(temporary, bytes, mode: mode)
            try sync(temporary)
        } catch {
            try? removeFile(temporary)  // litter, or not created; the first error is reported
            throw error
        }
        return temporary
    }
}
