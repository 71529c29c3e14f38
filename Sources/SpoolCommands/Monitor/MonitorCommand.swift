import CLinux
import Glibc
import Linux
import Store
import Web

extension SpoolCommand {
    static let monitor = SpoolCommand(
        "monitor", "[--listen ADDRESS]", "serve a page about the spool to a browser",
        details: [
            """
            Shows what runs, waits and failed, the timeline, tasks, queues and the output of jobs; nothing can be changed. The page is \
            updated while it is open. Without a client, the command uses no processor time. No daemon is needed.
            """,
            """
            ADDRESS is an address of this machine with a port, or unix: and the path of a Unix socket. Any local user can connect to a \
            port, so the page wants a token there, which is in the address that the command prints. A program sends the field \
            "Authorization: Bearer TOKEN". A browser sends the cookie that keeps the token to every port of the host, also to those of \
            other users. A Unix socket is protected by its mode, and the page wants none: prefer it where there are other users.
            """,
            """
            Root's page shows the parts of all users; a user's page shows that user's part alone. Started by systemd with a socket, \
            the command serves that socket.
            """,
        ],
        options: [
            Option("listen", value: "ADDRESS", "127.0.0.1:8080 by default; [::1]:8080, unix:PATH; port 0 is any free one"),
            Option("host", value: "NAME", "a name by which browsers may know this page, besides localhost and addresses; can be repeated"),
            Option("token-file", value: "FILE", "a file whose first line is the token (default: a new one at each start)"),
            Option("no-token", "want no token: whoever can connect to the address sees the page"),
            Option("mode", value: "MODE", "the mode of the Unix socket (0600)"),
        ],
        examples: [
            Example("spoolctl monitor", "prints the address of the page; ctrl-C ends it"),
            Example("spoolctl monitor --listen unix:page.sock", "ssh -L 8080:DIR/page.sock HOST brings it to a browser elsewhere"),
        ]
    ) { session throws(Failure) in
        try session.noOperands()
        let address = try MonitorAddress.parse(session)
        let wanted = try MonitorAddress.token(session)
        // Each connection has a descriptor, and each running job that is shown.
        DescriptorLimit.raise()
        let site = try MonitorSite(session)
        let listener = try attempt { () throws(SystemError) in try address.listen() }
        let token = listener.isUnix ? nil : wanted
        let port = listener.port
        let gate = MonitorGate(token: token, port: port, hosts: session.arguments.values("host"))
        defer { if case .unix(let path, _) = address { unlink(path) } }
        if let why = site.polled { session.complain(why) }
        let server = try MonitorServer(listener, gate, site)
        session.output.line(address.text(port: port, token: token, isPrinted: session.arguments.value("token-file") == nil))
        session.output.flush()
        return try server.run()
    }
}

/// Where the page is served.
enum MonitorAddress {
    case internet(String, UInt16)
    case unix(String, mode_t)
    /// A socket of the service manager, sd_listen_fds(3).
    case given

    private static let standard = "127.0.0.1:8080"
    private static let firstGiven: Int32 = 3
    private static let tokenCharacters = 24
    private static let tokenCharactersMin = 16

    func listen() throws(SystemError) -> Listener {
        switch self {
        case .given: try Listener(owning: Self.firstGiven)
        case .internet(let host, let port): try Listener(address: host, port: port)
        case .unix(let path, let mode): try Listener(path: path, mode: mode)
        }
    }

    /// The address that the call names.
    static func parse(_ session: Session) throws(Failure) -> MonitorAddress {
        let given = session.arguments.value("listen")
        if given == nil, environment("LISTEN_PID") == String(getpid()), let count = environment("LISTEN_FDS") {
            guard count == "1" else { throw .usage("the service manager has given \(count) sockets; monitor serves one") }
            return .given
        }
        let text = given ?? standard
        let mode = try mode(session)
        if text.hasPrefix("unix:") {
            return .unix(try absolute(String(text.dropFirst(5)), "the socket"), mode ?? 0o600)
        }
        if mode != nil { throw .usage("--mode is for --listen unix:PATH") }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw .usage("--listen \"\(text)\" is not ADDRESS:PORT, such as \(standard), and not unix:PATH")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        if host == "localhost" { host = "127.0.0.1" }
        var (four, six) = (in_addr(), in6_addr())
        guard inet_pton(AF_INET, host, &four) == 1 || inet_pton(AF_INET6, host, &six) == 1 else {
            throw .usage("--listen \"\(text)\": \"\(host)\" is not an address, such as 127.0.0.1 or [::1]; names are not looked up")
        }
        return .internet(host, port)
    }

    private static func mode(_ session: Session) throws(Failure) -> mode_t? {
        guard let text = session.arguments.value("mode") else { return nil }
        guard let mode = mode_t(text, radix: 8), mode <= 0o777 else {
            throw .usage("--mode \"\(text)\" is not an octal mode, such as 0660")
        }
        return mode
    }

    /// The token that the page wants; nil when none.
    static func token(_ session: Session) throws(Failure) -> String? {
        if session.arguments.flag("no-token") {
            try session.arguments.refuse(["token-file"], beside: "--no-token")
            return nil
        }
        guard let file = session.arguments.value("token-file") else { return newToken }
        let (bytes, status) = try readFile(file)
        guard status.mode & 0o077 == 0 else {
            throw Failure(ExitCode.notPermitted, "\(file): others can read the token; chmod 600 \(file)")
        }
        let token = String(decoding: bytes.prefix { $0 != 0x0A && $0 != 0x0D }, as: UTF8.self)
        // Other characters have a meaning in an address or in a cookie.
        guard token.utf8.count >= tokenCharactersMin, WebAddress(path: [token]).text == "/\(token)" else {
            throw .invalid("\(file): a token has \(tokenCharactersMin) or more characters of A-Z a-z 0-9 - . _ ~, in the first line")
        }
        return token
    }

    /// A token that nobody can guess: 120 random bits.
    private static var newToken: String {
        (0..<2).map { _ in Base32.encode(.random(in: 0...(.max)), characters: tokenCharacters / 2) }.joined()
    }

    /// The address as the command prints it. With `isPrinted`, the token is in it.
    func text(port: UInt16?, token: String?, isPrinted: Bool) -> String {
        let query = token.map { isPrinted ? "?\(MonitorGate.parameter)=\($0)" : "" } ?? ""
        switch self {
        case .unix(let path, _): return "unix:\(path)"
        case .internet(let host, _):
            let shown = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
            return "http://\(shown):\(port ?? 0)/\(query)"
        case .given: return "the service manager's socket\(token == nil || !isPrinted ? "" : ", with the token \(token ?? "")")"
        }
    }
}
