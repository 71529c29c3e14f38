// The server of `monitor`: one thread around poll(2).
//
// - It reads requests, and answers them with what ``MonitorSite`` makes. It changes nothing in the spool.
// - Without a request, and without a client that follows a page, it does not wake up.
// - One client cannot harm another: each connection has limits and deadlines, the number of connections is limited, and when there
//   are too many, the one that has waited longest for its client is closed. A new client is always accepted, whoever the others are.

import CLinux
import Glibc
import Linux
import Store
import Web

final class MonitorServer {
    private let listener: Listener
    private let gate: MonitorGate
    private let site: MonitorSite
    private let signals: SignalDescriptor
    private var connections: [MonitorConnection] = []
    /// The time of the next refresh of the site at the earliest, while somebody follows a page.
    private var refreshAt = MonotonicInstant(nanoseconds: 0)
    private var heartbeatAt = MonotonicInstant(nanoseconds: .max)
    /// The time of the next followed page at the earliest: all together take at most half of the time.
    private var renderAt = MonotonicInstant(nanoseconds: 0)
    /// No descriptor was left for a connection. Until this time none is accepted.
    private var acceptsAt = MonotonicInstant(nanoseconds: 0)

    private static let connectionsMax = 2000
    /// The descriptors that are left for the spool: each refresh opens files, and each page of a running job a directory.
    private static let descriptorsLeft = 100
    private static let connectionsMin = 16
    private let connectionsLimit: Int
    private static let streamsMax = 100
    private static let refreshMilliseconds: Int64 = 100
    private static let renderMilliseconds: Int64 = 200
    private static let heartbeatMilliseconds: Int64 = 15_000
    /// A page is made for at most this part of the time for one client.
    private static let costFactor: Int64 = 4
    private static let acceptPauseMilliseconds: Int64 = 100
    private static let acceptMax = 64
    /// The maximum of bytes that all clients together have not read. Beyond it, the client that is furthest behind is closed.
    private static let unsentBytesMax = 64 << 20

    init(_ listener: consuming Listener, _ gate: MonitorGate, _ site: MonitorSite) throws(Failure) {
        self.listener = listener
        self.gate = gate
        self.site = site
        connectionsLimit = max(Self.connectionsMin, min(Self.connectionsMax, DescriptorLimit.now - Self.descriptorsLeft))
        let wanted = [SIGINT, SIGTERM, SIGHUP, SIGQUIT].filter { linux_is_signal_ignored($0) == 0 }
        signals = try attempt { () throws(SystemError) in try SignalDescriptor(wanted) }
    }

    /// Serves until a signal ends it. Returns the exit code.
    func run() throws(Failure) -> Int32 {
        while true { if let code = try turn() { return code } }
    }

    // MARK: One turn

    private func turn() throws(Failure) -> Int32? {
        let now = MonotonicInstant.now()
        let follows = connections.contains { $0.stream != nil }
        let watches = follows && refreshAt <= now ? site.watches : []
        var polls = [listener.descriptor.raw, signals.descriptor.raw].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        // poll(2) ignores a negative descriptor.
        if now < acceptsAt { polls[0].fd = -1 }
        polls += watches.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let first = polls.count
        for one in connections { polls.append(pollfd(fd: one.descriptor.raw, events: one.events, revents: 0)) }
        let pending = connections.filter(\.isPending)
        let timeout = pending.isEmpty ? nextDeadline(follows: follows, now)?.pollTimeout(at: now) ?? -1 : 0
        let count = poll(&polls, nfds_t(polls.count), timeout)
        if count < 0, errno != EINTR { throw Failure(SystemError(call: "poll", errno: errno)) }
        let time = MonotonicInstant.now()
        if count > 0 {
            if polls[1].revents != 0, let signal = try attempt({ () throws(SystemError) in try signals.next() }) {
                return signal.number == SIGINT || signal.number == SIGTERM ? ExitCode.done : ExitCode.signalBase + signal.number
            }
            if polls[2..<first].contains(where: { $0.revents != 0 }) { refresh() }
            // Accepting and answering change the list.
            let ready = zip(connections, polls[first...]).filter { $0.1.revents != 0 }.map(\.0)
            for one in ready { serve(one, time) }
            if polls[0].revents != 0 { accept(time) }
        }
        for one in pending where connections.contains(where: { $0 === one }) { answerNext(one, time) }
        if follows, let again = site.retryAt, max(again, refreshAt) <= time { refresh() }
        if heartbeatAt <= time { beat(time) }
        updateStreams(time)
        closeOverdue(time)
        return nil
    }

    private func nextDeadline(follows: Bool, _ now: MonotonicInstant) -> MonotonicInstant? {
        var deadlines = connections.map(\.deadline)
        if now < acceptsAt { deadlines.append(acceptsAt) }
        if follows {
            deadlines.append(heartbeatAt)
            if refreshAt > now { deadlines.append(refreshAt) }
            if let again = site.retryAt { deadlines.append(max(again, refreshAt)) }
            for case let stream? in connections.map(\.stream) where stream.isStale { deadlines.append(max(stream.renderAt, renderAt)) }
        }
        return deadlines.filter { $0.nanoseconds != .max }.min()
    }

    private func close(_ connection: MonitorConnection) { connections.removeAll { $0 === connection } }

    private func closeOverdue(_ now: MonotonicInstant) {
        for one in connections where one.deadline <= now {
            // A client that has begun a request is told, others are not.
            if !one.isIdle, !one.hasOutput, one.stream == nil {
                one.answer(bytes(Self.late, keepsOpen: false), thenCloses: true, now: now)
                _ = one.send(now: now)
            }
            close(one)
        }
    }

    // MARK: Connections

    private func accept(_ now: MonotonicInstant) {
        // The rest waits until others have been served.
        for _ in 0..<Self.acceptMax {
            let descriptor: FileDescriptor
            do throws(SystemError) {
                guard let next = try listener.accept() else { return }
                descriptor = next
            } catch {
                // No descriptor or no memory is left: another connection makes room, and the client waits.
                closeOldest()
                acceptsAt = now.advanced(byMilliseconds: Self.acceptPauseMilliseconds)
                return
            }
            if connections.count >= connectionsLimit { closeOldest() }
            connections.append(MonitorConnection(descriptor, now: now))
        }
    }

    /// Closes the connection whose client has let the server wait longest: for a request, for its rest, or to read an answer. A client
    /// that sends a byte or reads one is not spared: connections that are kept open by that must not keep others away. Streams, which are
    /// few, stay.
    private func closeOldest() {
        if let oldest = connections.filter({ $0.stream == nil }).min(by: { $0.usedAt < $1.usedAt }) { close(oldest) }
    }

    private func serve(_ connection: MonitorConnection, _ now: MonotonicInstant) {
        if connection.hasOutput {
            guard connection.send(now: now) else { return close(connection) }
        } else {
            guard connection.receive(now: now) else { return close(connection) }
        }
        answerNext(connection, now)
    }

    /// Answers one request. Of requests that came together, each turn answers one, so that other clients have theirs between.
    private func answerNext(_ connection: MonitorConnection, _ now: MonotonicInstant) {
        if let step = connection.nextRequest() {
            switch step {
            case .incomplete: break
            case .refused(let status, let why):
                var fields: [(name: String, value: String)] = []
                if status == .methodNotAllowed { fields.append(("Allow", "GET, HEAD")) }
                let answer = HTTPResponse(status, text: "\(why)\n", fields: fields)
                connection.answer(bytes(answer, keepsOpen: false), thenCloses: true, now: now)
            case .request(let request): answer(request, to: connection, now)
            }
            guard connection.send(now: .now()) else { return close(connection) }
            if connection.hasOutput { limitOutput() }
        }
        if connection.isOver { close(connection) }
    }

    private func limitOutput() {
        while connections.reduce(0, { $0 + $1.unsent }) > Self.unsentBytesMax, let one = connections.max(by: { $0.unsent < $1.unsent }) {
            close(one)
        }
    }

    private static let late = HTTPResponse(.requestTimeout, text: "The request did not come in time.\n")
    private static let busy = HTTPResponse(.unavailable, text: "Too many pages are followed.\n", fields: [("Retry-After", "5")])

    private func bytes(_ response: HTTPResponse, isHead: Bool = false, keepsOpen: Bool) -> [UInt8] {
        response.bytes(always: site.fields, isHead: isHead, keepsOpen: keepsOpen)
    }

    private func answer(_ request: HTTPRequest, to connection: MonitorConnection, _ now: MonotonicInstant) {
        let response: HTTPResponse
        switch gate.verdict(request) {
        case .refused(let answer), .remembered(let answer): response = answer
        case .allowed:
            if request.address.path == [MonitorSite.eventsPath] {
                switch (followed(by: request), request.method) {
                case (.view(let address), .get): return begin(address, request, on: connection, now)
                case (.view, .head): response = HTTPResponse(.ok, type: EventStream.type, body: nil)
                case (.refused(let why), _): response = why
                }
            } else {
                refresh()
                response = site.answer(request)
            }
        }
        let isHead = request.method == .head
        connection.answer(bytes(response, isHead: isHead, keepsOpen: request.keepsOpen), thenCloses: !request.keepsOpen, now: .now())
    }

    // MARK: Streams

    private enum Followed {
        case view(WebAddress)
        case refused(HTTPResponse)
    }

    /// The page that a client wants to follow, or the answer when it cannot follow that now.
    private func followed(by request: HTTPRequest) -> Followed {
        guard let address = request.address.value("view").flatMap({ WebAddress($0) }) else {
            return .refused(HTTPResponse(.badRequest, text: "The parameter \"view\" is not an address of this site.\n"))
        }
        return connections.count(where: { $0.stream != nil }) < Self.streamsMax ? .view(address) : .refused(Self.busy)
    }

    private func begin(_ address: WebAddress, _ request: HTTPRequest, on connection: MonitorConnection, _ now: MonotonicInstant) {
        let shown = request.field("last-event-id") ?? request.address.value("shown")
        connection.stream = MonitorConnection.Stream(address: address, shown: shown, renderAt: now, isStale: true)
        let head = HTTPResponse(.ok, type: EventStream.type, body: nil)
        connection.answer(bytes(head, keepsOpen: false) + EventStream.retry(milliseconds: 2000), thenCloses: false, now: now)
        if heartbeatAt.nanoseconds == .max { heartbeatAt = now.advanced(byMilliseconds: Self.heartbeatMilliseconds) }
        // Events that came while nobody followed are still in the kernel's queue.
        refreshAt = now
    }

    /// Reads the changes of the spool, if there are any. Pages that may show them are made again.
    private func refresh() {
        let begin = MonotonicInstant.now()
        let change = site.refresh()
        let cost = MonotonicInstant.now().milliseconds(since: begin)
        refreshAt = begin.advanced(byMilliseconds: max(Self.refreshMilliseconds, Self.costFactor * cost))
        switch change {
        case .none: break
        case .output:
            for one in connections where one.stream.map({ MonitorSite.showsOutput($0.address) }) ?? false { one.stream?.isStale = true }
        case .spool: for one in connections { one.stream?.isStale = true }
        }
    }

    /// Finds clients that have gone, and pages that time alone has changed.
    private func beat(_ now: MonotonicInstant) {
        heartbeatAt = MonotonicInstant(nanoseconds: .max)
        site.forgetOutputs()
        refresh()
        for one in connections where one.stream != nil {
            heartbeatAt = now.advanced(byMilliseconds: Self.heartbeatMilliseconds)
            one.stream?.isStale = true
            guard one.add(EventStream.heartbeat, now: now), one.send(now: now) else {
                close(one)
                continue
            }
        }
    }

    /// Makes one page again, the one that has waited longest, so that requests are answered between two pages.
    private func updateStreams(_ now: MonotonicInstant) {
        guard renderAt <= now else { return }
        let stale = connections.filter { one in one.stream.map { $0.isStale && $0.renderAt <= now } ?? false && !one.hasOutput }
        let oldest = stale.min { ($0.stream?.renderAt ?? now) < ($1.stream?.renderAt ?? now) }
        guard let one = oldest, var stream = one.stream else { return }
        let begin = MonotonicInstant.now()
        let page = site.page(stream.address)
        let end = MonotonicInstant.now()
        let cost = end.milliseconds(since: begin)
        renderAt = end.advanced(byMilliseconds: cost)
        stream.isStale = false
        let isNew = page.id != stream.shown
        // A page that is as it was has disturbed nobody: what comes next, as the end of a job after its last status, is shown at once.
        stream.renderAt = begin.advanced(byMilliseconds: max(isNew ? Self.renderMilliseconds : 0, Self.costFactor * cost))
        stream.shown = page.id
        one.stream = stream
        guard isNew else { return }
        if !one.add(EventStream.event("page", id: page.id, data: page.live.text), now: end) || !one.send(now: end) { return close(one) }
        if one.hasOutput { limitOutput() }
    }
}
