import Store
import Web

/// The document around a page. It has one style and one script, both in itself, which the policy allows by their hashes.
enum MonitorDocument {
    static let styleHash = hash(MonitorStyle.text)
    static let scriptHash = hash(MonitorScript.text)

    private static func hash(_ text: StaticString) -> String { "sha256-\(Base64.encode(SHA256.hash(Array("\(text)".utf8))))" }

    /// Short texts that follow from the content.
    static func id(of live: Markup) -> String { String(SHA256.text(Array(live.text.utf8)).prefix(16)) }

    static func document(_ page: MonitorPage) -> Markup {
        """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>\(page.title) – spoold</title>
        <link rel="icon" href="/favicon.svg" type="image/svg+xml">
        <style>\(Markup.own(MonitorStyle.text))</style>
        </head>
        <body>
        <a class="skip-link" href="#main">Skip to content</a>
        <div id="live" data-id="\(page.id)" data-title="\(page.title) – spoold">\(page.live)</div>
        <footer><span id="updates" role="status">Reload to see changes</span>
        <button type="button" id="pause" hidden>Pause updates</button>
        <span>spoold \(Version.text)</span><a href="/metrics">Metrics</a></footer>
        <script>\(Markup.own(MonitorScript.text))</script>
        </body>
        </html>

        """
    }

    /// The header and the page's content.
    static func live(_ page: MonitorPage, _ context: PageContext) -> Markup {
        let snapshot = context.snapshot
        let daemon = snapshot.daemon
        let isPaused = !snapshot.pauses.isEmpty
        let state: Markup =
            daemon.pid == nil
            ? PageContext.tag("bad", "✕", "spoold is not running")
            : snapshot.surroundings.held != nil
                ? PageContext.tag("warn", "▲", "Nothing starts")
                : isPaused ? PageContext.tag("warn", "‖", "Partly paused") : PageContext.tag("ok", "✓", "Serving")
        let since: Markup = daemon.since.map { "\(daemon.pid == nil ? "last seen" : "since") \(context.time($0)) · " } ?? ""
        let links = MonitorView.allCases.map { view -> Markup in
            "<a href=\"\(view.address.text)\"\(view == page.view ? " aria-current=\"page\"" as Markup : "")>\(view.name)</a>"
        }
        let sought = context.address.path == ["search"] ? context.address.value("q") ?? "" : ""
        return """
            <header class="top">
            <h1><a href="/">spoold</a> <span class="quiet">\(host)</span></h1>
            <span class="state">\(state)</span>
            <span class="meta">\(since)times in \(context.zone.name)</span>
            <form action="/search" role="search"><label class="hidden" for="find">Search jobs and tasks</label>
            <input id="find" type="search" name="q" placeholder="Search" value="\(sought)"></form>
            <nav aria-label="Views">\(links)</nav>
            </header>
            <main id="main" tabindex="-1">
            \(page.main)</main>

            """
    }

    private static let host = Machine.name()

    /// The icon of the browser's tab.
    static let icon = """
        <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1e5fa8"/>\
        <path d="M3 5h10M3 8h7M3 11h4" stroke="#fff" stroke-width="1.6" stroke-linecap="round"/></svg>
        """
}
