import Documents
import ExecutorProtocol
import Executors
import Glibc
import Linux

/// The executor kubernetes: each try is a Job of Kubernetes, made and read through kubectl.
///
/// There is no shared directory, so nothing of the wrapper is used: the start and the end are what the API says of the pod, and the output
/// is its log. When the end is in the spool, the Job is removed, but not in its first two minutes.
struct KubernetesExecutor: Executor {
    private let kubectl: Kubectl
    private let settings: KubernetesSettings
    private let spool: String
    private let time: CallTime

    init(_ header: Header) throws(KubernetesSettings.Mistake) {
        settings = try KubernetesSettings(header.settings)
        spool = header.spool
        time = CallTime(header)
        kubectl = Kubectl(
            configuration: settings.configuration, context: settings.context, environment: ProcessEnvironment.lines, time)
    }

    // MARK: submit

    func submit(_ items: Items<Submission>) -> Int32 {
        let namespace = settings.namespace ?? kubectl.contextNamespace() ?? "default"
        while let item = items.next() {
            do throws(SystemError) { Told.answer(try submit(item, namespace)) } catch { Told.answer(.failed(item.run, .later, "\(error)")) }
        }
        return 0
    }

    private func submit(_ item: Submission, _ namespace: String) throws(SystemError) -> Answer {
        func refused(_ why: String) -> Answer { .failed(item.run, .refused, why) }
        guard let image = KubernetesSettings.image(of: item) ?? settings.image else {
            return refused("no image: write one into [executors.kubernetes] of the configuration, or executor_args = [\"--image=NAME\"]")
        }
        if let other = KubernetesSettings.unknownArgument(of: item) {
            return refused("executor_args: \"\(other)\" is not known; there is --image=NAME")
        }
        guard item.input == nil else { return refused("a container gets no standard input: the executor kubernetes cannot send one") }
        guard (item.resources.nodes ?? 1) <= 1 else { return refused("resources.nodes: a job is one pod, on one node") }
        guard time.isLeft else { return .failed(item.run, .later, CallTime.noneLeft) }
        let marks = try LocalMarks(item.run.directory, attempt: item.run.attempt)
        // It was made, and its Job may be removed already.
        if marks.hasStarted || marks.hasEnded {
            let bytes = try marks.read(FarPlace.fileName(attempt: item.run.attempt), limit: FarPlace.bytesMax) ?? []
            let text = String(decoding: bytes, as: UTF8.self)
            if text == FarPlace.canceled { return refused("it was canceled before it began") }
            guard let place = KubernetesPlace(text) else {
                return .failed(item.run, .unknown, "its place.\(item.run.attempt) is damaged")
            }
            return .submitted(item.run, handle: place.handle)
        }
        guard let script = try script(of: item, marks) else {
            return refused("its script has more than \(Self.scriptBytesMax) bytes, or is no text")
        }
        let own = KubernetesPlace(
            namespace: namespace,
            name: KubernetesPlace.name(id: item.run.id, attempt: item.run.attempt, random: .random(in: .min ... .max)),
            tag: KubernetesSettings.tag(machine: Machine.name(), spool: spool))
        guard KubernetesPlace(own.text) != nil else { return refused("\"\(namespace)\" is no name of a namespace") }
        var place = own
        if let there = try marks.claim(FarPlace.fileName(attempt: item.run.attempt), Array(own.text.utf8)) {
            let text = String(decoding: there, as: UTF8.self)
            if text == FarPlace.canceled { return refused("it was canceled before it began") }
            guard let earlier = KubernetesPlace(text) else {
                return .failed(item.run, .unknown, "its place.\(item.run.attempt) is damaged")
            }
            place = earlier
        }
        let job = KubernetesJob(place: place, submission: item, image: image, serviceAccount: settings.serviceAccount, script: script.first)
        switch kubectl.create(jobs(place.namespace), job.json) {
        case .success, .failure(.alreadyExists): return .submitted(item.run, handle: place.handle)
        case .failure(.later(let words)): return .failed(item.run, .later, words)
        case .failure(.refused(let words)), .failure(.notFound(let words)): return refused(words)
        case .failure(.unknown(let words)): return .failed(item.run, .unknown, words)
        }
    }

    private static let scriptBytesMax = 96 << 10

    /// The script that an argument names, as at most one element. Nil when it cannot be sent.
    private func script(of item: Submission, _ marks: borrowing LocalMarks) throws(SystemError) -> [KubernetesJob.Script]? {
        for (index, argument) in item.arguments.enumerated() where argument.hasPrefix("\(item.run.directory)/") {
            let name = String(argument.dropFirst(item.run.directory.count + 1))
            do throws(SystemError) {
                guard !name.utf8.contains(UInt8(ascii: "/")), let bytes = try marks.read(name, limit: Self.scriptBytesMax) else { continue }
                guard !bytes.contains(0), let text = String(validating: bytes, as: UTF8.self) else { return nil }
                return [KubernetesJob.Script(argument: index, text: text)]
            } catch where error.errno == EFBIG { return nil }
        }
        return []
    }

    // MARK: poll, find, logs

    func poll(_ runs: [Run]) -> Int32 { look(runs, bringsOutput: true) }

    func find(_ runs: [Run]) -> Int32 { look(runs, bringsOutput: false) }

    /// A question that failed is asked again soon, as long as this returns 0.
    func logs(_ runs: [Run]) -> Int32 {
        _ = look(runs, bringsOutput: true, isForStates: false)
        return 0
    }

    /// A run, and what the API says of it.
    private struct Seen {
        let run: Run
        let place: KubernetesPlace
        let word: KubernetesWord
    }

    /// Two queries for each namespace: the Jobs of the spool, and their pods. Every state is answered before any log is read, but for the
    /// runs that have ended, whose output belongs to their end: these come next, as far as there is time, and then the logs of the others.
    ///
    /// - Parameter isForStates: false to bring the logs of runs that go on, and nothing else. A call that is for states may be under way
    ///   beside it, which writes the same bytes to the same places.
    private func look(_ runs: [Run], bringsOutput: Bool, isForStates: Bool = true) -> Int32 {
        var groups: [String: [(run: Run, place: KubernetesPlace)]] = [:]
        for run in runs {
            guard let place = place(of: run) else { continue }
            groups["\(place.namespace) \(place.tag)", default: []].append((run, place))
        }
        var code: Int32 = 0
        var ended: [Seen] = []
        var others: [Seen] = []
        var jobsOf: [String: [Table]] = [:]
        for group in groups.values {
            let namespace = group[0].place.namespace
            let selector = "labelSelector=\(KubernetesJob.spoolLabel)%3D\(group[0].place.tag)"
            // Pods first: a Job that is made in between has none yet, and one that ended in between shows its pod the next time.
            guard let pods = list("\(self.pods(namespace))?\(selector)"), let found = list("\(jobs(namespace))?\(selector)") else {
                code = 1
                continue
            }
            jobsOf[namespace, default: []] += found
            let podsByJob = Dictionary(grouping: pods) { $0.jobName ?? "" }
            let jobsByName = Dictionary(found.map { ($0.jobName ?? "", $0) }) { first, _ in first }
            for (run, place) in group {
                let word = KubernetesWord(job: jobsByName[place.name], pods: podsByJob[place.name] ?? [])
                let seen = Seen(run: run, place: place, word: word)
                if case .ended = word.state {
                    ended.append(seen)
                } else {
                    if isForStates { carefully(run) { () throws(SystemError) in try answer(seen) } }
                    others.append(seen)
                }
            }
        }
        // In another order each time, so that logs that cannot be read keep no other from being read.
        for seen in ended.shuffled() where isForStates {
            carefully(seen.run) { () throws(SystemError) in
                let isOver = try finish(seen)
                Told.answer(isOver ? state(seen, .ended) : state(seen, .running, why: "its output is not here yet"))
            }
        }
        guard bringsOutput else { return code }
        for seen in others.shuffled() where time.isLeft {
            carefully(seen.run) { () throws(SystemError) in
                _ = try bringLog(seen, LocalMarks(seen.run.directory, attempt: seen.run.attempt))
            }
        }
        guard isForStates else { return code }
        let open = Set((ended + others).filter { seen in !Self.hasEnded(seen.run) }.map(\.place.name))
        for (namespace, found) in jobsOf { removeRecorded(found, except: open, namespace) }
        return code
    }

    private func carefully(_ run: Run, _ body: () throws(SystemError) -> Void) {
        do throws(SystemError) { try body() } catch { Told.person("\(run.id): \(error)") }
    }

    private static func hasEnded(_ run: Run) -> Bool {
        (try? LocalMarks(run.directory, attempt: run.attempt))?.hasEnded ?? false  // not to be seen: not removed now
    }

    /// A Job stays this long, so that a creation that arrives late finds it and makes no second one. No kubectl of ours lives as long.
    private static let leastAge: Int64 = 120_000

    /// Removes Jobs whose end is in the spool.
    private func removeRecorded(_ found: [Table], except asked: Set<String>, _ namespace: String) {
        for job in found where time.isLeft {
            guard let name = job.jobName, !asked.contains(name), let (id, attempt) = job.run,
                let madeAt = job.madeAt, Clock.now() - madeAt >= Self.leastAge
            else { continue }
            let place = LocalMarks.placeOfEnded(id: id, attempt: attempt, spool: spool).flatMap(KubernetesPlace.init)
            if let place, place.name == name, place.namespace == namespace { remove(place) }
        }
    }

    private func list(_ path: String) -> [Table]? {
        var all: [Table] = []
        var next: String?
        repeat {
            let rest = next.map { "&continue=\($0)" } ?? ""
            switch kubectl.get("\(path)&limit=500\(rest)") {
            case .failure(let failure):
                Told.person(failure.words)
                return nil
            case .success(let bytes):
                guard let list = KubernetesList(bytes) else {
                    Told.person("kubectl printed no list for \(path)")
                    return nil
                }
                all += list.items
                next = list.next
            }
        } while next != nil
        return all
    }

    /// The place of the run. Nil when the run was never sent anywhere; then the answer is given here.
    private func place(of run: Run) -> KubernetesPlace? {
        let name = FarPlace.fileName(attempt: run.attempt)
        do throws(SystemError) {
            let marks = try LocalMarks(run.directory, attempt: run.attempt)
            let text = try marks.read(name, limit: FarPlace.bytesMax).map { String(decoding: $0, as: UTF8.self) }
            if let place = text.flatMap(KubernetesPlace.init) { return place }
            if text == nil && run.handle == nil || text == FarPlace.canceled {
                Told.answer(.state(run, EngineWord(.gone)))
            } else {
                Told.person("\(run.id): the file \(name), which says where it runs, is \(text == nil ? "gone" : "damaged")")
            }
        } catch { Told.person("\(run.id): \(error)") }
        return nil
    }

    private func state(
        _ seen: Seen, _ state: EngineState, why: String? = nil, reason: EndReason? = nil, _ message: String? = nil
    ) -> Answer {
        var reason = reason
        if state == .ended, case .ended(let end) = seen.word.state, end.isOutOfMemory { reason = .outOfMemory }
        let word = EngineWord(state, handle: seen.place.handle, why: why, host: seen.word.node, reason: reason, message: message)
        return .state(seen.run, word)
    }

    /// Answers for a run whose container has not ended.
    private func answer(_ seen: Seen) throws(SystemError) {
        let run = seen.run
        let marks = try LocalMarks(run.directory, attempt: run.attempt)
        switch seen.word.state {
        case .gone:
            guard try hasBeenEnded(run, marks) else { return Told.answer(state(seen, .gone)) }
            try marks.markEnd(marks.hasStarted ? Array(#"{"signal":15}"#.utf8) : LocalMarks.neverBegan)
            Told.answer(state(seen, .ended, reason: .canceled))
        case .pending(let why): Told.answer(state(seen, .pending, why: why))
        case .open(let phase): Told.answer(state(seen, .open, why: phase))
        case .running:
            try marks.markStart(host: seen.word.node, at: seen.word.started.map(String.init))
            Told.answer(state(seen, .running))
        case .lost(let reason, let message):
            try marks.markStart(host: seen.word.node)
            Told.answer(state(seen, .ended, reason: reason, message))
        case .ended: preconditionFailure("its end is brought with its output")
        }
    }

    /// Brings the output and then the end of a run whose container has ended. Returns false when the output could not be read now.
    ///
    /// An end must not wait for ever for a log that a node has lost: it comes without the rest of the output once the log could not be read
    /// for ``logPatience``. With `isForced`, the order of people who want the run to be over, it comes at once.
    private func finish(_ seen: Seen, isForced: Bool = false) throws(SystemError) -> Bool {
        guard case .ended(let end) = seen.word.state else { preconditionFailure("only what has ended has an end") }
        let marks = try LocalMarks(seen.run.directory, attempt: seen.run.attempt)
        if marks.hasEnded { return true }
        try marks.markStart(host: seen.word.node, at: seen.word.started.map(String.init))
        guard time.isLeft else { return false }
        switch try bringLog(seen, marks) {
        case .isHere: break
        case .isLost(let why):
            Told.person("\(seen.place.handle): the rest of its output is lost: \(why)")
            try noteMissingOutput(marks)
        case .askAgain: return false
        case .unreadable:
            let isGivenUp = try isForced ? true : isPatienceOver(seen.run, marks)
            guard isGivenUp else { return false }
            Told.person("\(seen.place.handle): its end is recorded without the rest of its output, which cannot be read")
            try noteMissingOutput(marks)
        }
        try marks.markEnd(end.mark(host: seen.word.node))
        return true
    }

    /// The time for which the log of an ended container is asked for again, from the first question that failed.
    private static let logPatience: Int64 = 600_000

    /// True when the log could not be read for long. The first time is kept in the job's directory.
    private func isPatienceOver(_ run: Run, _ marks: borrowing LocalMarks) throws(SystemError) -> Bool {
        let name = "place.\(run.attempt).unread"
        let text = try marks.read(name, limit: 64).map { String(decoding: $0, as: UTF8.self) }
        let now = Clock.now()
        guard let first = text.flatMap({ Int64($0.dropLast()) }), first <= now else {
            try marks.replace(name, Array("\(now)\n".utf8))
            return false
        }
        return now - first >= Self.logPatience
    }

    private func noteMissingOutput(_ marks: borrowing LocalMarks) throws(SystemError) {
        let notice = Array("\n[spoold: the rest of the output could not be read from Kubernetes]\n".utf8)
        let output = try marks.output("stdout")
        // A call that was killed before the end mark has written it already.
        guard try output.last(min(output.size, Int64(notice.count))) != notice else { return }
        _ = try marks.add(notice, to: output, "stdout")  // false: another call has just read the log
    }

    private enum LogReading {
        /// All that the container has written is here.
        case isHere
        /// The rest of the output cannot be read any more, for this reason.
        case isLost(String)
        /// Another call has written to the file meanwhile.
        case askAgain
        /// The log could not be asked for now.
        case unreadable
    }

    /// Brings what the log has and the output has not.
    private func bringLog(_ seen: Seen, _ marks: borrowing LocalMarks) throws(SystemError) -> LogReading {
        let place = seen.place
        guard let pod = seen.word.pod, KubernetesSettings.isPodName(pod) else { return .isLost("its pod is gone") }
        let path = "\(pods(place.namespace))/\(pod)/log?container=\(KubernetesJob.container)&limitBytes=\(Self.logBytesMax)"
        let output = try marks.output("stdout")
        switch kubectl.get(path) {
        case .success(let log):
            let here = output.size
            // The kubelet keeps the newest part of a long log only, and then the beginning here stays.
            let known = min(here, 4096)
            guard Int64(log.count) >= here, try output.last(known) == Array(log[Int(here - known)..<Int(here)]) else {
                return .isLost("its node has kept the newest part of its log only")
            }
            if log.count > here {
                guard try marks.add(Array(log[Int(here)...]), to: output, "stdout") else { return .askAgain }
            }
            return log.count < Self.logBytesMax ? .isHere : .isLost("its log has more than \(Self.logBytesMax) bytes")
        case .failure(.notFound(let words)), .failure(.refused(let words)): return .isLost(words)
        case .failure(let failure):
            Told.person("\(place.handle): its log: \(failure.words)")
            return .unreadable
        }
    }

    private static let logBytesMax = 64 << 20

    // MARK: cancel, signal, extend

    /// The mark of an order to end, here and not at the engine, which forgets with the Job.
    private static func orderedName(_ run: Run) -> String { "place.\(run.attempt).canceled" }

    func cancel(_ orders: [Order]) -> Int32 {
        for order in orders {
            do throws(SystemError) { Told.answer(try cancel(order)) } catch { Told.answer(.failed(order.run, .later, "\(error)")) }
        }
        return 0
    }

    /// The content of the mark ``orderedName(_:)`` of a run whose end was first ordered at this time, when it had never been seen at the
    /// engine.
    private static func absent(at now: Int64) -> String { "absent \(now)\n" }

    /// True when its end was ordered, neither the Job nor a pod is there, and no Job can come any more: it was there when its end was
    /// ordered, or a creation that was under way then would have arrived.
    private func hasBeenEnded(_ run: Run, _ marks: borrowing LocalMarks) throws(SystemError) -> Bool {
        guard let bytes = try marks.read(Self.orderedName(run), limit: 64) else { return false }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasPrefix("absent ") else { return true }
        let now = Clock.now()
        guard let since = Int64(text.dropFirst(7).dropLast()), since <= now else {
            try marks.replace(Self.orderedName(run), Array(Self.absent(at: now).utf8))
            return false
        }
        return !marks.hasStarted && now - since >= Self.leastAge
    }

    private func cancel(_ order: Order) throws(SystemError) -> Answer {
        let run = order.run
        let marks = try LocalMarks(run.directory, attempt: run.attempt)
        guard let there = try marks.claim(FarPlace.fileName(attempt: run.attempt), Array(FarPlace.canceled.utf8)),
            case let text = String(decoding: there, as: UTF8.self), text != FarPlace.canceled
        else {
            if !marks.hasEnded { try marks.markEnd(LocalMarks.neverBegan) }
            return .asked(run, isGone: true)
        }
        guard let place = KubernetesPlace(text) else { return .failed(run, .unknown, "its place.\(run.attempt) is damaged") }
        guard let own = list("\(pods(place.namespace))?labelSelector=\(KubernetesJob.nameLabel)%3D\(place.name)") else {
            return .failed(run, .later, "the pods of \(place.handle) cannot be listed")
        }
        var job: Table?
        switch kubectl.get("\(jobs(place.namespace))/\(place.name)") {
        case .success(let bytes):
            job = JSON.readableTable(bytes)
            if job == nil { return .failed(run, .later, "kubectl printed no Job for \(place.handle)") }
        case .failure(.notFound): break
        case .failure(let failure): return .failed(run, .later, failure.words)
        }
        // An end that came before the cancel is the true one. Kubernetes forgets it with the Job.
        let seen = Seen(run: run, place: place, word: KubernetesWord(job: job, pods: own))
        if case .ended = seen.word.state {
            let isOver = try finish(seen, isForced: order.force)
            return isOver ? .asked(run, isGone: true) : .failed(run, .later, "it has ended, and its output is not here yet")
        }
        if job == nil, own.isEmpty {
            // One that was seen there may have done anything since.
            if run.handle == nil, try marks.read(Self.orderedName(run), limit: 64) == nil {
                try marks.replace(Self.orderedName(run), Array(Self.absent(at: Clock.now()).utf8))
            }
            return .asked(run, isGone: true)
        }
        try marks.replace(Self.orderedName(run), Array("\(order.force)\n".utf8))
        if order.force {
            for pod in own.compactMap(\.objectName) where KubernetesSettings.isPodName(pod) {
                let result = kubectl.delete("\(pods(place.namespace))/\(pod)", Array(#"{"gracePeriodSeconds":0}"#.utf8))
                if case .failure(let failure) = result { Told.person(failure.words) }
            }
        }
        // In the foreground: the Job is there until its pod has ended, so its absence says that nothing runs.
        let options = #"{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground"}"#
        switch kubectl.delete("\(jobs(place.namespace))/\(place.name)", Array(options.utf8)) {
        case .success, .failure(.notFound): return .asked(run)
        case .failure(let failure): return .failed(run, .later, failure.words)
        }
    }

    func signal(_ orders: [Order]) -> Int32 {
        for order in orders { Told.answer(.failed(order.run, .refused, "Kubernetes sends only the signal that ends a pod: use cancel")) }
        return 0
    }

    func extend(_ orders: [Order]) -> Int32 {
        for order in orders { Told.answer(.failed(order.run, .refused, "Kubernetes cannot lengthen the time of a pod")) }
        return 0
    }

    private func remove(_ place: KubernetesPlace) {
        let options = #"{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background"}"#
        switch kubectl.delete("\(jobs(place.namespace))/\(place.name)", Array(options.utf8)) {
        case .success, .failure(.notFound): break
        case .failure(let failure): Told.person("\(place.handle) stays in Kubernetes: \(failure.words)")
        }
    }

    private func jobs(_ namespace: String) -> String { "/apis/batch/v1/namespaces/\(namespace)/jobs" }

    private func pods(_ namespace: String) -> String { "/api/v1/namespaces/\(namespace)/pods" }

    /// The rights that the calls need: verb, group and resource.
    private static let rights = [
        ("create", "batch", "jobs"), ("get", "batch", "jobs"), ("list", "batch", "jobs"), ("delete", "batch", "jobs"), ("list", "", "pods"),
        ("delete", "", "pods"), ("get", "", "pods/log"),
    ]

    // MARK: check

    func check() -> Int32 {
        let namespace = settings.namespace ?? kubectl.contextNamespace() ?? "default"
        switch kubectl.get("\(jobs(namespace))?limit=1") {
        case .success: Told.answer(.check("reachable", isFine: true, "the jobs of the namespace \(namespace) can be listed"))
        case .failure(let failure): Told.answer(.check("reachable", isFine: false, failure.words))
        }
        for (verb, group, resource) in Self.rights {
            let parts = resource.split(separator: "/")
            let sub = parts.count > 1 ? ",\"subresource\":\"\(parts[1])\"" : ""
            let review = """
                {"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"resourceAttributes":\
                {"namespace":"\(namespace)","verb":"\(verb)","group":"\(group)","resource":"\(parts[0])"\(sub)}}}
                """
            let result = kubectl.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", Array(review.utf8))
            guard case .success(let bytes) = result else { continue }
            let isAllowed = KubernetesSettings.isAllowed(bytes)
            let may = isAllowed ? "may" : "may not"
            Told.answer(.check("permission", isFine: isAllowed, "kubectl \(may) \(verb) \(resource) in the namespace \(namespace)"))
        }
        if settings.image == nil {
            Told.answer(.check("image", isFine: true, "the configuration names no image, so each job names its own"))
        }
        return 0
    }
}
