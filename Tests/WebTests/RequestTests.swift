import Testing

@testable import Web

@Suite struct RequestTests {
    private func steps(_ text: String, pieces: Int = .max) -> [RequestParser.Step] {
        var parser = RequestParser()
        var steps: [RequestParser.Step] = []
        var rest = Array(text.utf8)[...]
        while true {
            switch parser.next() {
            case .incomplete:
                if rest.isEmpty { return steps }
                parser.add(rest.prefix(pieces))
                rest = rest.dropFirst(pieces)
            case let step:
                steps.append(step)
                if case .refused = step { return steps }
            }
        }
    }

    private func one(_ text: String) -> RequestParser.Step? { steps(text).first }

    @Test(arguments: [1, 2, 7, .max])
    func requestsFollowEachOtherInAnyPieces(pieces: Int) {
        let text =
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nHEAD /jobs?state=failed&q=a+b%2F HTTP/1.1\r\nHost: a:80\r\nCookie: x=1; t=abc\r\n\r\n"
        let found = steps(text, pieces: pieces)
        #expect(found.count == 2)
        guard case .request(let first)? = found.first, case .request(let second)? = found.last else {
            Issue.record("\(found)")
            return
        }
        #expect(first.method == .get && first.address == WebAddress() && first.keepsOpen)
        #expect(second.method == .head && second.address.path == ["jobs"] && second.address.value("q") == "a b/")
        #expect(second.host == "a" && second.cookie("t") == "abc" && second.cookie("y") == nil)
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\n\r\n", HTTPStatus.badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", .badRequest),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", .versionNotSupported),
        ("GET /\r\n\r\n", .badRequest),
        ("G\u{7F}T / HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", .methodNotAllowed),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET /%2e%2e/etc HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET /%ff HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n", .badRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 70) + "\r\n", .fieldsTooLarge),
        ("GET /" + String(repeating: "a", count: 20_000), .fieldsTooLarge),
    ])
    func aRequestThatCanBeMisunderstoodIsRefused(text: String, status: HTTPStatus) {
        guard case .refused(let found, let why)? = one(text) else {
            Issue.record("not refused: \(text)")
            return
        }
        #expect(found == status)
        #expect(why.hasSuffix("."))
    }

    @Test(arguments: [
        ("GET / HTTP/1.0\r\n\r\n", false), ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("\r\n\r\nGET / HTTP/1.1\nHost: a\n\n", true), ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", true),
    ])
    func theConnectionStaysOpenAsTheClientSays(text: String, keepsOpen: Bool) {
        guard case .request(let request)? = one(text) else {
            Issue.record("\(String(describing: one(text)))")
            return
        }
        #expect(request.keepsOpen == keepsOpen)
    }

    @Test(arguments: [
        ("GET http://b.example:81/x HTTP/1.1\r\nHost: a\r\n\r\n", "b.example", "/x"),
        ("GET http://b?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "b", "/?x=1"), ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "[::1]", "/"),
    ])
    func theNameInAnAbsoluteAddressCounts(text: String, host: String, address: String) {
        guard case .request(let request)? = one(text) else {
            Issue.record("\(String(describing: one(text)))")
            return
        }
        #expect(request.host == host && request.address.text == address)
    }

    @Test(arguments: ["/", "/jobs/20261121T020000.000Z-a-k3f9", "/tasks/alice/backup?q=a%20b&x=%C3%A9%26", "/a%2Fb"])
    func anAddressIsWrittenAsItWasRead(text: String) { #expect(WebAddress(text)?.text == text) }

    @Test func anEventKeepsItsLines() {
        let bytes = EventStream.event("page", id: "7", data: "a\nb\r\nc")
        #expect(String(decoding: bytes, as: UTF8.self) == "event: page\nid: 7\ndata: a\ndata: b\ndata: \ndata: c\n\n")
    }

    @Test func anAnswerHasItsLength() {
        let answer = HTTPResponse(.notFound, text: "no\n").bytes(always: [("X-A", "b")], isHead: false, keepsOpen: true)
        #expect(
            String(decoding: answer, as: UTF8.self)
                == "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nX-A: b\r\nContent-Length: 3\r\n\r\nno\n")
    }
}
