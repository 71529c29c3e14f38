import CLinux
import Glibc
import Linux
import Store

// The executors: each one's program is asked by the verb `check` of spool-executor(7).
extension Doctor {
    /// The executors of the configuration and of running jobs.
    func executors() -> [Diagnosis] {
        guard let configuration = Self.orNil({ () throws(Failure) in try fileConfiguration() }) else { return [] }
        var names = Set(configuration.executors.keys).union(configuration.queueExecutors.values)
        names.formUnion(Self.orNil { () throws(Failure) in try usedExecutors() } ?? [])
        names.remove(ExecutorKeys.local)
        return names.sorted().flatMap { check($0, configuration.executors[$0] ?? ExecutorSettings()) }
    }

    private func usedExecutors() throws(Failure) -> [String] {
        var records = try session.records()
        var names: [String] = []
        for place in try session.reading({ () throws(JournalError) in try records.places(in: [.running]) }) {
            let record = try session.reading { () throws(JournalError) in try records.record(at: place) }
            if let status = record?.status, status.isElsewhere, let name = status.executor { names.append(name) }
        }
        return names
    }

    private func check(_ name: String, _ settings: ExecutorSettings) -> [Diagnosis] {
        let what = "executor \(name)"
        let remedy = "spool-executor(7) says what an executor must do"
        let answer: ProgramAnswer
        let path: String
        do throws(ExecutorProgram.Refusal) {
            let program = try session.executorProgram(name, besideDaemon: daemon?.pid)
            path = program.path
            guard let environment = try? environmentOfOwner() else {  // another user's spool, or one that cannot be looked at
                return [.ok(what, "\(path); the owner of the spool can have it checked")]
            }
            answer = ProgramAnswer(
                of: program, ["check"], input: settings.header(of: name, spool: session.spoolPath), environment: environment,
                patienceMilliseconds: settings.callTimeoutMilliseconds)
        } catch {
            return switch error {
            case .missing(let why): [.fail(what, "\(why): its jobs wait", "install it as \(Layout.executors)/\(name) in the spool")]
            case .unsafe(let why): [.fail(what, why, "correct it with chown and chmod")]
            case .unreadable: [.fail(what, error.why, remedy)]
            }
        }
        let found = answer.lines.compactMap { JSON.readableTable(Array($0.utf8)) }.compactMap { table -> Diagnosis? in
            guard let check = table.text("check") else { return nil }
            let message = Output.oneLine("\(check): \(table.text("message") ?? "")")
            if case .boolean(true)? = table["ok"]?.kind { return .ok(what, message) }
            return .fail(what, message, remedy)
        }
        guard answer.code == 0 else {
            let how = answer.code.map { "exited with \($0)" } ?? "did not answer"
            return found + [.fail(what, "\(path) check \(how)", remedy)]
        }
        return found.isEmpty ? [.ok(what, "\(path), which checks nothing")] : found
    }
    /// The environment of executors. Nil when this process may not run them.
    private func environmentOfOwner() throws(SystemError) -> [String]? {
        try session.mayRunExecutors() ? session.executorEnvironment() : nil
    }
}
