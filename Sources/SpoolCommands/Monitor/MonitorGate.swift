import Store
import Web

/// Decides who may see the page.
///
/// - Any local user can reach a port of this machine, so a port wants a token. A Unix socket is protected by the modes of its path.
/// - A page of another site can have its own name lead to this machine (DNS rebinding). So over a port only addresses, `localhost`, the
///   machine's name and the names of `--host` count as the host.
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
    private let checksHost: Bool
    private let cookie: String

    /// - Parameter port: nil for a Unix socket.
    init(token: String?, port: UInt16?, hosts: [String]) {
        self.token = token
        checksHost = port != nil
        self.hosts = Set(hosts.map { $0.lowercased() } + ["localhost"])
        // The port is no part of what a cookie belongs to (RFC 6265, 8.5).
        cookie = "spoold-\(port ?? 0)"
    }

    /// The name of the parameter that has the token in the printed address.
    static let parameter = "token"

    func verdict(_ request: HTTPRequest) -> Verdict {
        if checksHost, let host = request.host, !isOwn(host) {
            return .refused(
                HTTPResponse(
                    .misdirected,
                    text: "This page is not known as \"\(TerminalText.safe(host))\"; spoolctl monitor --host NAME allows a name.\n"))
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
                    fields: [("Location", clean), ("Set-Cookie", "\(cookie)=\(token); Path=/; HttpOnly; SameSite=Strict")]))
        }
        if let kept = request.cookie(cookie), isEqual(kept, token) { return .allowed }
        return .refused(Self.denied)
    }

    /// An address is no name that could lead somewhere else.
    private func isOwn(_ host: String) -> Bool {
        if hosts.contains(host) || host.hasPrefix("[") { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
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
