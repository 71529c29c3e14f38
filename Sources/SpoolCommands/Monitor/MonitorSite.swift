import Glibc
import Linux
import Store
import Web

/// The pages of the monitor, made from the spool as it is. It reads, and changes nothing.
final class MonitorSite {
    /// The address of the events of a page.
    static let eventsPath = "events"

    private let session: Session
    private let parts: TopParts
    /// The directories of running jobs whose output somebody looks at.
    private var outputs: InotifyInstance?
    private var outputWatches: Set<Int32> = []
    /// Set while an output that somebody looks at cannot be watched: why, and when its page is made again.
    private var unwatchedOutput: (why: String, pollAt: MonotonicInstant)?

    private static let outputWatchesMax = 256

    init(_ session: Session) throws(Failure) {
        self.session = session
        parts = try TopParts(session)
        try parts.refresh()
    }

    /// The sentence that says why changes are noticed late; nil when they are not.
    var polled: String? { parts.snapshot.polled }

    // MARK: Changes

    /// Readable when a page may have changed.
    var watches: [Int32] { parts.watches + parts.daemons + [outputsRaw] }

    private var outputsRaw: Int32 { outputs?.inotify.descriptor.raw ?? -1 }

    /// When something must be read again without an event.
    var retryAt: MonotonicInstant? { [partsRetryAt, unwatchedOutput?.pollAt].compactMap(\.self).min() }

    private var partsRetryAt: MonotonicInstant? { parts.isBehind ? .now() : parts.retryAt }

    /// The pages that were made since the last change, by their addresses. They hold for the second in which they were made, because they
    /// say how long something is ago.
    private var pages: [String: (second: Int64, address: WebAddress, page: MonitorPage)] = [:]
    private static let pagesMax = 64

    /// The error of the last refresh, for the pages.
    private var failure: Failure?

    enum Change { case none, output, spool }

    /// Reads the changes in the spool, if there are any. `output` means that only the output of running jobs has changed.
    func refresh() -> Change {
        let isOutput = isReadable(outputsRaw) || unwatchedOutput.map { $0.pollAt <= .now() } ?? false
        if isOutput {
            unwatchedOutput = nil
            var events: [InotifyEvent] = []
            _ = try? outputs?.inotify.readEvents(into: &events)  // an event says only that there is more output, and so does an error
            pages = pages.filter { !MonitorSite.showsOutput($0.value.address) }
        }
        let isRetryDue = partsRetryAt.map { $0 <= .now() } ?? false
        guard isRetryDue || (parts.watches + parts.daemons).contains(where: isReadable) else { return isOutput ? .output : .none }
        pages = [:]
        for raw in parts.daemons where isReadable(raw) { parts.noteExit(ofDaemon: raw) }
        do throws(Failure) {
            try parts.refresh()
            failure = nil
        } catch {
            failure = error
        }
        return .spool
    }

    /// True for the page of a job, which shows its output.
    static func showsOutput(_ address: WebAddress) -> Bool { address.path.first == "jobs" && address.path.count > 1 }

    private func isReadable(_ raw: Int32) -> Bool {
        var polled = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        return poll(&polled, 1, 0) > 0
    }

    /// Makes a followed page change with the output of a running job.
    func watchOutput(inDirectory path: String) {
        do throws(SystemError) {
            let watcher: InotifyInstance
            if let outputs { watcher = outputs } else { watcher = try InotifyInstance() }
            outputs = watcher
            outputWatches.insert(try watcher.inotify.add(path, [.modified, .created, .movedTo]))
        } catch {
            // The spool's watches report a directory that has moved.
            guard error.isOutOfWatches else { return }
            unwatchedOutput = (error.whyNotWatched, MonotonicInstant.now().advanced(byMilliseconds: TopFeed.pollMilliseconds))
        }
        if outputWatches.count > Self.outputWatchesMax { forgetOutputs() }
    }

    /// Forgets the outputs that somebody has looked at. The pages that are made next watch theirs again.
    func forgetOutputs() {
        guard !outputWatches.isEmpty, let fresh = try? InotifyInstance() else { return }  // without one, the old watches stay
        outputs = fresh
        outputWatches = []
        pages = pages.filter { !MonitorSite.showsOutput($0.value.address) }
    }

    // MARK: Answers

    /// The fields of every answer. A page has no other parts than its own style and script, asks nobody else, and stands in no frame.
    let fields: [(name: String, value: String)] = [
        (
            "Content-Security-Policy",
            """
            default-src 'none'; style-src '\(MonitorDocument.styleHash)'; script-src '\(MonitorDocument.scriptHash)'; img-src 'self'; \
            connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'
            """
        ),
        ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"),
        ("Cross-Origin-Opener-Policy", "same-origin"), ("Cross-Origin-Resource-Policy", "same-origin"), ("X-Frame-Options", "DENY"),
    ]

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        switch request.address.path {
        case ["favicon.svg"]: return HTTPResponse(.ok, type: "image/svg+xml", body: Array(MonitorDocument.icon.utf8))
        case ["metrics"]: return metrics(request)
        default:
            let page = page(request.address)
            return HTTPResponse(page.status, type: "text/html; charset=utf-8", body: Array(MonitorDocument.document(page).text.utf8))
        }
    }

    /// The metrics. A user whose part cannot be read has none here, and no `spoold_up`; no user can keep those of the others away.
    private func metrics(_ request: HTTPRequest) -> HTTPResponse {
        do throws(Failure) {
            let answer = try MetricsReport(newCall(Output())).answer(accept: request.field("accept") ?? "")
            return HTTPResponse(.ok, type: answer.contentType, body: answer.body)
        } catch {
            return HTTPResponse(.failed, text: error.lines.joined(separator: "\n") + "\n")
        }
    }

    /// A session of its own for each answer: it reads the spool and the clock as they are now.
    private func newCall(_ errors: Output) -> Session {
        Session(session.command, session.arguments, output: Output(), errors: errors)
    }

    /// The page of an address.
    func page(_ address: WebAddress) -> MonitorPage {
        let (key, second) = (address.text, Clock.now() / 1000)
        if let known = pages[key], known.second == second { return known.page }
        let page = newPage(address)
        if pages.count >= Self.pagesMax { pages = [:] }
        pages[key] = (second, address, page)
        return page
    }

    private func newPage(_ address: WebAddress) -> MonitorPage {
        let remarks = Output()
        let call = newCall(remarks)
        var snapshot = parts.snapshot
        snapshot.now = call.now
        let context = PageContext(session: call, snapshot: snapshot, address: address)
        var page: MonitorPage
        do throws(Failure) {
            page = try view(context)
        } catch {
            page = MonitorPage(
                status: error.code == ExitCode.notFound ? .notFound : error.code == ExitCode.failed ? .failed : .badRequest,
                title: error.code == ExitCode.notFound ? "Not found" : "Error", main: Self.message(error.lines))
        }
        let unwatched = Self.showsOutput(address) ? unwatchedOutput : nil
        var troubles = snapshot.polled.map { [$0] } ?? unwatched.map { ["output is shown after up to 2 s: \($0.why)"] } ?? []
        troubles += snapshot.unreadable + (failure?.lines ?? []) + remarks.kept.split(separator: "\n").map { String($0.dropFirst(10)) }
        if !troubles.isEmpty { page.main += Self.message(troubles) }
        page.live = MonitorDocument.live(page, context)
        page.id = MonitorDocument.id(of: page.live)
        return page
    }

    private static func message(_ lines: [String]) -> Markup {
        let lines = lines.map { "<p class=\"empty\">\($0)</p>" as Markup }
        return "<section class=\"wide\"><div class=\"card\" role=\"alert\">\(lines)</div></section>\n"
    }

    private func view(_ context: PageContext) throws(Failure) -> MonitorPage {
        let path = context.address.path
        switch path.first {
        case nil: return try OverviewPage(context).page()
        case "jobs" where path.count == 1: return try JobsPage(context).page()
        case "jobs" where path.count <= 3:
            return try JobPage(context, id: path.dropFirst().joined(separator: "/")) { self.watchOutput(inDirectory: $0) }.page()
        case "tasks" where path.count == 1: return try TasksPage(context).page()
        case "tasks" where path.count <= 3: return try TaskPage(context, name: path.dropFirst().joined(separator: "/")).page()
        case "running" where path.count == 1: return RunningPage(context).page()
        case "waiting" where path.count == 1: return WaitingPage(context).page()
        case "timeline" where path.count == 1: return try TimelinePage(context).page()
        case "queues" where path.count == 1: return try QueuesPage(context).page()
        case "health" where path.count == 1: return try HealthPage(context).page()
        case "search" where path.count == 1: return try SearchPage(context).page()
        default: throw .notFound("There is no page at this address.")
        }
    }
}
