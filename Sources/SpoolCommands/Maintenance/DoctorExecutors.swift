import CLinux
import Glibc
import Linux
import Store

// The executors: each one's program is asked by the verb `check` of spool-executor(7).
extension Doctor {
    /// The executors of the configuration, of tasks, and of jobs that have not ended.
    func executors() -> [Diagnosis] {
        guard let configuration = Self.orNil({ () throws(Failure) in try fileConfiguration() }) else { return [] }
        let names = Set(configuration.executors.keys).union(configuration.queueExecutors.values)
        var hosts = Dictionary(uniqueKeysWithValues: names.map { ($0, Set<String>()) })
        func add(_ definition: JobDefinition) {
            guard let name = definition.executor ?? configuration.queueExecutors[definition.queue] else { return }
            hosts[name, default: []].formUnion(definition.executorKeys?.hosts ?? [])
        }
        // A task or a job that cannot be read is told by other checks.
        for run in Self.orNil({ () throws(Failure) in try tasks() }) ?? [] { add(run) }
        Self.orNil { () throws(Failure) in try openJobs(add) { hosts[$0, default: []] = hosts[$0] ?? [] } }
        hosts[ExecutorKeys.local] = nil
        return hosts.sorted { $0.key < $1.key }.flatMap { name, hosts in
            check(name, configuration.executors[name] ?? ExecutorSettings(), hosts: hosts.sorted())
        }
    }

    /// The runs of tasks. Lines of crontabs always run here.
    private func tasks() throws(Failure) -> [JobDefinition] {
        let context = try session.context()
        let tasks = try TaskCatalog(session, withSchedules: false).entries().compactMap(\.task)
        return tasks.filter { $0.crontab == nil }.compactMap { try? $0.job(context).definition }  // `check` tells its problems
    }

    /// The number of waiting jobs that are read. There may be very many, and most name the same few executors.
    private static let waitingMax = 1000

    private func openJobs(_ add: (JobDefinition) -> Void, _ addName: (String) -> Void) throws(Failure) {
        var records = try session.records()
        var waiting = 0
        for place in try session.reading({ () throws(JournalError) in try records.places(in: [.running, .new]) }) {
            if place.state == .running {
                let record = try session.reading { () throws(JournalError) in try records.record(at: place) }
                guard let status = record?.status, status.isElsewhere, let name = status.executor else { continue }
                addName(name)
            } else {
                waiting += 1
                if waiting > Self.waitingMax { continue }
            }
            if let definition = try attempt({ () throws(SystemError) in try records.definition(at: place) }) { add(definition) }
        }
    }

    private func check(_ name: String, _ settings: ExecutorSettings, hosts: [String]) -> [Diagnosis] {
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
                of: program, ["check"], input: settings.header(of: name, spool: session.spoolPath, hosts: hosts), environment: environment,
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
