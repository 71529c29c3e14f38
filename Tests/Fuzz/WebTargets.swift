// What any client can send to `spoolctl monitor`, and the texts of others on its pages.

import Web

/// Requests are the same in whatever pieces they come; an address is written as it was read; no text becomes markup.
@Sendable func fuzzHTTP(_ bytes: [UInt8]) {
    let whole = requests(bytes, piece: max(1, bytes.count))
    expect(whole == requests(bytes, piece: 1), "pieces change what is read")
    for case .request(let request) in whole {
        expect(WebAddress(request.address.text) == request.address, "\(request.address.text) is not read back")
        expect(!request.address.path.contains(".."), "a path leads upwards")
        expect(request.fields.count <= 64, "too many fields")
    }
    let text = String(decoding: bytes, as: UTF8.self)
    let markup: Markup = "\(text)"
    expect(!markup.text.utf8.contains { [0x3C, 0x3E, 0x22, 0x27, 0x00, 0x1B].contains($0) }, "a text is markup: \(markup.text)")
}

private func requests(_ bytes: [UInt8], piece: Int) -> [RequestParser.Step] {
    var parser = RequestParser()
    var steps: [RequestParser.Step] = []
    var rest = bytes[...]
    while true {
        switch parser.next() {
        case .incomplete:
            let count = min(piece, parser.room, rest.count)
            if count == 0 { return steps }
            parser.add(rest.prefix(count))
            rest = rest.dropFirst(count)
        case .request(let request): steps.append(.request(request))
        case .refused(let status, let why):
            steps.append(.refused(status, why: why))
            return steps
        }
    }
}
