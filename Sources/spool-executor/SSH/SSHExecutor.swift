import Executors
import Glibc
import Linux

/// The executor ssh: runs jobs on other hosts, by OpenSSH as it is configured.
///
/// No call waits for a host: the hosts are asked side by side, and one that does not answer leaves its runs without an answer.
struct SSHExecutor: Executor {
    let call: SSHCall
    private let spool: String
    /// Hosts that jobs name, and the configuration does not.
    let named: [HostName]

    /// Throws a sentence for settings that cannot be used, and when there is no ssh.
    init(_ header: Header) throws(SSHSettings.Mistake) {
        let settings = try SSHSettings(header.settings)
        let environment = ProcessEnvironment.lines
        guard let ssh = ProcessEnvironment.find("ssh", environment) else {
            throw SSHSettings.Mistake(message: "there is no program ssh in PATH")
        }
        call = SSHCall(settings, ssh: ssh, environment: environment, CallTime(header))
        spool = header.spool
        named = header.hosts.compactMap(HostName.init).filter { settings.hosts[$0] == nil }
    }

    func submit(_ items: Items<Submission>) -> Int32 {
        SSHSubmit(call, spool: spool).submit(items.all())
        return 0
    }

    // MARK: poll, find, logs

    func poll(_ runs: [Run]) -> Int32 { look(runs, for: .poll) }

    func find(_ runs: [Run]) -> Int32 { look(runs, for: .find) }

    func logs(_ runs: [Run]) -> Int32 { look(runs, for: .logs) }

    /// Asks for the states of all runs, and brings output, results and ends.
    private func look(_ runs: [Run], for purpose: FarRun.Purpose) -> Int32 {
        var seen: Set<String> = []
        var asked: [SSHCall.Asked] = []
        for run in runs {
            guard let place = place(of: run) else { continue }
            seen.insert(place.directory)
            asked.append((place, { session in
                self.withMarks(of: run) { marks in
                    FarRun(run, at: place, marks, session, call, for: purpose) { Told.answer(.state(run, $0)) }.look()
                }
            }))
        }
        call.each(asked) { session in
            if purpose == .poll { removeFetched(over: session, except: seen) }
        }
        return 0
    }

    private func withMarks(of run: Run, _ body: (consuming LocalMarks) throws(SystemError) -> Void) {
        do throws(SystemError) { try body(try LocalMarks(run.directory, attempt: run.attempt)) } catch {
            Told.person("\(run.id): \(error)")
        }
    }

    /// The place of the run. Nil when the run was never sent anywhere, which is answered here, or when its place cannot be read, which is
    /// reported here.
    private func place(of run: Run) -> FarPlace? {
        let name = FarPlace.fileName(attempt: run.attempt)
        var place: FarPlace?
        withMarks(of: run) { marks throws(SystemError) in
            let text = try marks.read(name, limit: FarPlace.bytesMax).map { String(decoding: $0, as: UTF8.self) }
            place = text.flatMap(FarPlace.init)
            if place != nil { return }
            if text == nil && run.handle == nil || text == FarPlace.canceled {
                Told.answer(.state(run, EngineWord(.gone)))
            } else {
                Told.person("\(run.id): the file \(name), which says where it runs, is \(text == nil ? "gone" : "damaged")")
            }
        }
        return place
    }

    /// Removes directories whose end is here, and which a call that was killed left there.
    private func removeFetched(over session: FarSession, except seen: Set<String>) {
        let spool = spool
        session.ask("list", ["-"]) { answer in
            guard case .line(_, let words) = answer, words.count == 2, words[0] == "list" else { return false }
            let directory = words[1]
            if !seen.contains(directory), Self.isFetched(directory, spool: spool) { session.ask("remove", directory) { _ in } }
            return true
        }
    }

    private static func isFetched(_ directory: String, spool: String) -> Bool {
        guard let (id, attempt) = FarPlace.run(ofDirectory: directory) else { return false }
        return LocalMarks.placeOfEnded(id: id, attempt: attempt, spool: spool).flatMap(FarPlace.init)?.directory == directory
    }

    // MARK: cancel, signal, extend

    /// Ends runs, or keeps them from beginning.
    func cancel(_ orders: [Order]) -> Int32 {
        var asked: [SSHCall.Asked] = []
        for order in orders where !keptFromBeginning(order.run) {
            guard let place = place(of: order.run) else { continue }
            // To the wrapper, which asks the command to end, or kills its group and then writes the end.
            let signal = order.force ? Wrapper.signal(forwarding: SIGKILL) : SIGTERM
            let words = "\(place.directory) \(order.run.attempt) \(signal)"
            asked.append((place, { session in session.ask("cancel", words) { took($0, order.run, place, session) } }))
        }
        call.each(asked)
        return 0
    }

    /// A job that was not sent anywhere yet never is: nobody can write the place any more.
    private func keptFromBeginning(_ run: Run) -> Bool {
        do throws(SystemError) {
            let marks = try LocalMarks(run.directory, attempt: run.attempt)
            let name = FarPlace.fileName(attempt: run.attempt)
            let there = try marks.claim(name, Array(FarPlace.canceled.utf8)).map { String(decoding: $0, as: UTF8.self) }
            guard there == nil || there == FarPlace.canceled else { return false }
            if !marks.hasEnded { try marks.markEnd(LocalMarks.neverBegan) }
            Told.answer(.asked(run, isGone: true))
        } catch { Told.answer(.failed(run, .later, "\(error)")) }
        return true
    }

    private func took(_ words: [String], _ run: Run, _ place: FarPlace, _ session: FarSession) {
        switch words.first {
        case "asked": Told.answer(.asked(run))
        case "never", "ended", "absent", "dead":
            Told.answer(.asked(run, isGone: true))
            // Its output and its end are brought at once.
            let state = words[0] == "never" ? "ended" : words[0]
            withMarks(of: run) { marks in FarRun(run, at: place, marks, session, call, for: .poll) { _ in }.took([state]) }
        default: Told.answer(.failed(run, .unknown, "\(place.host) did not understand it"))
        }
    }

    func signal(_ orders: [Order]) -> Int32 {
        var asked: [SSHCall.Asked] = []
        for order in orders {
            guard let place = place(of: order.run) else { continue }
            let words = "\(place.directory) \(order.run.attempt) \(Wrapper.signal(forwarding: order.signal))"
            asked.append((place, { session in
                session.ask("signal", words) { words in Told.answer(.asked(order.run, isGone: words.first != "asked")) }
            }))
        }
        call.each(asked)
        return 0
    }

    /// Sends the file `extend`, which the wrapper reads.
    func extend(_ orders: [Order]) -> Int32 {
        var asked: [SSHCall.Asked] = []
        for order in orders {
            let run = order.run
            guard let place = place(of: run) else { continue }
            asked.append((place, { session in
                withMarks(of: run) { marks throws(SystemError) in
                    let bytes = try marks.read("extend", limit: 1 << 20) ?? []
                    session.ask("put", "\(place.directory) extend x 0 \(bytes.count) \(bytes.count)", bytes: bytes) { words in
                        let isThere = words == ["there"]
                        Told.answer(isThere ? .asked(run) : .failed(run, .later, "\(place.host): its file extend cannot be written"))
                    }
                }
            }))
        }
        call.each(asked)
        return 0
    }
}
