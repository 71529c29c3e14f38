import Store
import Web

/// Decides who may see the page.
///
/// - Any local user can reach a port of this machine, so a port wants a token. A Unix socket is protected by the modes of its path.
/// - A page of another site can have its own name lead to this machine (DNS rebinding), also through a port that ssh(1) forwards to a
///   Unix socket. So only addresses, `localhost` and the names of `--host` count as the host.
/// - A page of another site can ask for this one without reading the answer. Only following a link from there has an answer.
struct MonitorGate {
    enum Verdict {
        case allowed
        /// The token was right, and is remembered by a cookie: the client asks again, without the token.
        case remembered(HTTPResponse)
        case refused(HTTPResponse)
    }

    /// Nil when none is wanted.
    let token: String?
    private let hosts: Set<String>
    /// The name and the value of the cookie. A browser sends a cookie to every port of a host, and whoever has the value sees the page. So
    /// the value is not the token, which can be good for more, and a token that cannot be guessed cannot be found from it. It holds as long
    /// as the token: with a token file, a page that is open stays open when the monitor starts again.
    private let cookie: (name: String, value: String)

    /// - Parameter port: nil for a Unix socket.
    init(token: String?, port: UInt16?, hosts: [String]) {
        self.token = token
        self.hosts = Set(hosts.map { $0.lowercased() } + ["localhost"])
        cookie = ("spoold-\(port ?? 0)", SHA256.text(Array("the cookie of spoolctl monitor \(token ?? "")".utf8)))
    }

    /// The name of the parameter that has the token in the printed address.
    static let parameter = "token"

    func verdict(_ request: HTTPRequest) -> Verdict {
        // HTTP/1.0 may leave the host out.
        if request.field("host") != nil, !(request.host.map(isOwn) ?? false) {
            let host = TerminalText.safe(request.host ?? "")
            return .refused(
                HTTPResponse(
                    .misdirected, text: "This page is not known as \"\(host)\"; spoolctl monitor --host NAME allows a name.\n"))
        }
        if request.field("sec-fetch-site") == "cross-site", request.field("sec-fetch-mode") != "navigate" {
            return .refused(HTTPResponse(.forbidden, text: "Another site may not ask for this page.\n"))
        }
        guard let token else { return .allowed }
        if let bearer = request.field("authorization"), bearer.lowercased().hasPrefix("bearer ") {
            return isEqual(String(bearer.dropFirst(7)), token) ? .allowed : .refused(Self.denied)
        }
        if let given = request.address.value(Self.parameter) {
            guard isEqual(given, token) else { return .refused(Self.denied) }
            let clean = request.address.with(Self.parameter, nil).text
            return .remembered(
                HTTPResponse(
                    .seeOther, text: "",
                    fields: [("Location", clean), ("Set-Cookie", "\(cookie.name)=\(cookie.value); Path=/; HttpOnly; SameSite=Strict")]))
        }
        if let kept = request.cookie(cookie.name), isEqual(kept, cookie.value) { return .allowed }
        return .refused(Self.denied)
    }

    /// An address is no name that could lead somewhere else.
    private func isOwn(_ host: String) -> Bool {
        if hosts.contains(host) { return true }
        if host.hasPrefix("["), host.hasSuffix("]") {
            return host.utf8.dropFirst().dropLast().allSatisfy { "0123456789abcdef:.".utf8.contains($0) }
        }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } && UInt8($0) != nil }
    }

    /// Takes the same time wherever the texts differ.
    private func isEqual(_ given: String, _ token: String) -> Bool {
        let (a, b) = (Array(given.utf8), Array(token.utf8))
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }

    private static var denied: HTTPResponse {
        HTTPResponse(
            .unauthorized,
            text: """
                This page wants its token. Open the address that spoolctl monitor has printed, or add ?token=TOKEN to this one.
                A program sends the field "Authorization: Bearer TOKEN".

                """,
            fields: [("WWW-Authenticate", "Bearer realm=\"spoold\"")])
    }
}
