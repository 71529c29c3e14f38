import CLinux
import Executors
import Glibc
import Linux

/// Submits jobs to hosts: each to the one that has the least of its slots in use, and to another one when that one does not answer.
final class SSHSubmit {
    private let call: SSHCall
    private var choice: HostChoice
    /// Jobs that have a host, whose connection has not begun.
    private var waiting: [HostName: [Prepared]] = [:]
    /// Jobs whose host was chosen in an earlier call.
    private var bound: [HostName: [(place: FarPlace, item: Submission)]] = [:]
    private var senders: [HostName: Sender] = [:]

    private struct Prepared {
        let item: Submission
        let candidates: [HostName]
        let directory: String
        let files: [SentFile]
    }

    init(_ call: SSHCall, spool: String) {
        self.call = call
        choice = HostChoice(slots: call.settings.hosts.compactMapValues(\.self), used: UsedHosts.count(spool: spool))
    }

    func submit(_ items: [Submission]) {
        for item in items { prepare(item) }
        FarSessions.run(until: call.time.hardEnd) { self.nextSession() }
    }

    // MARK: Preparing

    private func prepare(_ item: Submission) {
        do throws(SystemError) {
            let marks = try LocalMarks(item.run.directory, attempt: item.run.attempt)
            if let bytes = try marks.read(FarPlace.fileName(attempt: item.run.attempt), limit: FarPlace.bytesMax) {
                return resume(item, String(decoding: bytes, as: UTF8.self))
            }
            func refuse(_ why: String) { Told.answer(.failed(item.run, .refused, why)) }
            guard item.executorArguments.isEmpty else {
                return refuse("executor_args: the executor ssh takes none; options of ssh belong into [executors.ssh] options")
            }
            guard (item.resources.nodes ?? 1) <= 1 else { return refuse("resources.nodes: the executor ssh runs a job on one host") }
            var candidates: [HostName] = []
            for name in item.hosts {
                guard let host = HostName(name) else { return refuse("host: \"\(name)\" is no name of a host") }
                candidates.append(host)
            }
            if candidates.isEmpty { candidates = call.settings.hosts.keys.sorted() }
            guard !candidates.isEmpty else {
                return refuse("no host: name one with the key host, or hosts in [executors.ssh] of the configuration")
            }
            let draft = try marks.read(FarSubmission.draftName(item.run.attempt), limit: FarPlace.bytesMax) ?? []
            let words = String(decoding: draft, as: UTF8.self).split { $0 == " " || $0 == "\n" }.map(String.init)
            let isDrafted = words.count == 2 && FarPlace.run(ofDirectory: words[1])?.id == item.run.id
            let random = UInt32.random(in: .min ... .max)
            guard
                let directory = isDrafted ? words[1] : FarPlace.directory(id: item.run.id, attempt: item.run.attempt, random: random)
            else { return refuse("its id cannot be the name of a directory") }
            let job = Prepared(item: item, candidates: candidates, directory: directory, files: try SentFile.all(of: item))
            choose(job, preferring: words.first.flatMap(HostName.init))
        } catch { Told.answer(.failed(item.run, .later, "\(error)")) }
    }

    private func resume(_ item: Submission, _ text: String) {
        guard text != FarPlace.canceled else { return Told.answer(.failed(item.run, .refused, "it was canceled before it began")) }
        guard let place = FarPlace(text) else {
            return Told.answer(.failed(item.run, .unknown, "\(FarPlace.fileName(attempt: item.run.attempt)) cannot be read"))
        }
        bound[place.host, default: []].append((place, item))
    }

    private func choose(_ job: Prepared, preferring preferred: HostName? = nil) {
        var picked = choice.choose(among: job.candidates.filter { $0 == preferred })
        if case .host = picked {} else { picked = choice.choose(among: job.candidates) }
        let names = job.candidates.map(\.text).joined(separator: ", ")
        switch picked {
        case .full: Told.answer(.failed(job.item.run, .later, "all slots of \(names) are in use"))
        case .away: Told.answer(.failed(job.item.run, .later, awayReason ?? "\(names) cannot be reached"))
        case .host(let host):
            do throws(SystemError) {
                let marks = try LocalMarks(job.item.run.directory, attempt: job.item.run.attempt)
                try marks.replace(FarSubmission.draftName(job.item.run.attempt), Array("\(host) \(job.directory)\n".utf8))
            } catch { return Told.answer(.failed(job.item.run, .later, "\(error)")) }
            if let sender = senders[host], sender.isOpen { sender.add(job) } else { waiting[host, default: []].append(job) }
        }
    }

    private var awayReason: String?

    // MARK: Sending

    /// To any host: many that are away keep no other from being reached for ever.
    private func nextSession() -> FarSession? {
        while let host = Set(waiting.keys).union(bound.keys).subtracting(senders.keys).randomElement() {
            guard let session = call.session(to: host) else {
                leave(host, "ssh cannot be started")
                continue
            }
            let sender = Sender(host, session, call)
            senders[host] = sender
            session.greeted = { hello in
                self.askBound(host, session, hello)
                sender.begin(hello, self.waiting.removeValue(forKey: host) ?? [])
            }
            session.ended = { why in
                guard let why else { return }
                if session.hello == nil { self.leave(host, why) } else { sender.fail("\(host): \(why)") }
            }
            return session
        }
        return nil
    }

    /// The jobs of one connection, of which a few are sent at once.
    private final class Sender {
        private let host: HostName
        private let session: FarSession
        private let call: SSHCall
        private var hello: FarAnswers.Hello?
        private var rest: [Prepared] = []
        private var sendings: [FarSubmission] = []
        private var active = 0
        private var failure: String?

        private static let atOnce = 8

        init(_ host: HostName, _ session: FarSession, _ call: SSHCall) {
            self.host = host
            self.session = session
            self.call = call
        }

        func begin(_ hello: FarAnswers.Hello, _ jobs: [Prepared]) {
            self.hello = hello
            jobs.forEach(add)
        }

        /// True while more jobs can be added.
        var isOpen: Bool { hello != nil && failure == nil && session.isOpen }

        func add(_ job: Prepared) {
            rest.append(job)
            sendNext()
        }

        private func sendNext() {
            while active < Self.atOnce, !rest.isEmpty, let hello {
                let job = rest.removeFirst()
                if let failure {
                    Told.answer(.failed(job.item.run, .later, failure))
                } else if !call.time.isLeft {
                    Told.answer(.failed(job.item.run, .later, CallTime.noneLeft))
                } else {
                    let marks: LocalMarks
                    do throws(SystemError) { marks = try LocalMarks(job.item.run.directory, attempt: job.item.run.attempt) } catch {
                        Told.answer(.failed(job.item.run, .later, "\(error)"))
                        continue
                    }
                    let sending = FarSubmission(job.item, to: host, directory: job.directory, files: job.files, marks, call)
                    sending.hasEnded = {
                        self.active -= 1
                        self.sendNext()
                    }
                    active += 1
                    sendings.append(sending)
                    sending.send(over: session, hello)
                }
            }
        }

        /// The connection has ended.
        func fail(_ why: String) {
            failure = why
            for sending in sendings { sending.failed(why) }
            sendNext()
        }
    }

    /// The host did not answer. Nothing was started there in this call.
    private func leave(_ host: HostName, _ why: String) {
        awayReason = "\(host): \(why)"
        Told.person("\(host) does not answer: \(why)")
        bound[host] = nil
        let jobs = waiting.removeValue(forKey: host) ?? []
        for _ in jobs { choice.isAway(host) }
        for job in jobs { choose(job) }
    }

    /// Jobs that may have begun there already: the host says so, and begins those that have not.
    private func askBound(_ host: HostName, _ session: FarSession, _ hello: FarAnswers.Hello) {
        for (place, item) in bound.removeValue(forKey: host) ?? [] {
            guard SSHCall.isSameHome(hello, place) else { continue }
            guard let marks = try? LocalMarks(item.run.directory, attempt: item.run.attempt) else { continue }  // removed: not answered
            FarRun(item.run, at: place, marks, session, call, for: .find) { word in
                if word.state == .gone {
                    Told.answer(.failed(item.run, .unknown, word.message ?? "it is gone"))
                } else {
                    Told.answer(.submitted(item.run, handle: place.handle, host: host.text))
                }
            }.look()
        }
    }
}
