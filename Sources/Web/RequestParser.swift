/// Reads requests from the bytes of one connection, in whatever pieces they come.
///
/// - A request with a body, or with fields that two readers could understand differently, is refused, and nothing after it is read. So no
///   part of one request can be taken for another request.
/// - A request takes at most ``headBytesMax`` bytes, and what is kept of a connection is not longer.
public struct RequestParser: Sendable {
    public enum Step: Sendable, Equatable {
        /// The next request has not come whole.
        case incomplete
        case request(HTTPRequest)
        /// The connection must be closed after the answer.
        case refused(HTTPStatus, why: String)
    }

    /// The largest request line with all its fields.
    public static let headBytesMax = 16 << 10
    private static let fieldsMax = 64

    private var bytes: [UInt8] = []
    /// The number of bytes in which no end of the fields has been found.
    private var searched = 0

    public init() {}

    /// True when no byte of the next request has come.
    public var isEmpty: Bool { bytes.isEmpty }

    /// The bytes that can be taken before the request would be too long. Zero while a whole request has not been taken.
    public var room: Int { max(0, Self.headBytesMax + 1 - bytes.count) }

    public mutating func add(_ more: some Collection<UInt8>) { bytes += more }

    /// The next request.
    public mutating func next() -> Step {
        // RFC 9112, 2.2: empty lines before a request are ignored.
        let blank = bytes.prefix { $0 == 0x0D || $0 == 0x0A }.count
        if blank > 0 {
            bytes.removeFirst(blank)
            searched = 0
        }
        guard let end = endOfFields() else {
            if bytes.count > Self.headBytesMax { return .refused(.fieldsTooLarge, why: "The request is longer than 16 KiB.") }
            return .incomplete
        }
        let head = bytes[..<end]
        guard head.count <= Self.headBytesMax else { return .refused(.fieldsTooLarge, why: "The request is longer than 16 KiB.") }
        do throws(Refusal) {
            let request = try Self.request(head)
            bytes.removeFirst(end)
            searched = 0
            return .request(request)
        } catch {
            return .refused(error.status, why: error.why)
        }
    }

    /// The index after the empty line that ends the fields.
    private mutating func endOfFields() -> Int? {
        var index = max(0, searched - 2)
        while index < bytes.count {
            guard let feed = bytes[index...].firstIndex(of: 0x0A) else { break }
            let after = feed + 1
            if after < bytes.count, bytes[after] == 0x0A { return after + 1 }
            if after + 1 < bytes.count, bytes[after] == 0x0D, bytes[after + 1] == 0x0A { return after + 2 }
            index = after
        }
        searched = bytes.count
        return nil
    }

    // MARK: One request

    private struct Refusal: Error {
        var status: HTTPStatus
        var why: String

        init(_ status: HTTPStatus, _ why: String) {
            self.status = status
            self.why = why
        }
    }

    private static func request(_ head: ArraySlice<UInt8>) throws(Refusal) -> HTTPRequest {
        var lines = head.split(separator: 0x0A, omittingEmptySubsequences: false).map { $0.last == 0x0D ? $0.dropLast() : $0 }
        // The empty line, and nothing after it.
        lines.removeLast(2)
        guard !head.contains(0), lines.allSatisfy({ !$0.contains(0x0D) }) else {
            throw Refusal(.badRequest, "A line has a control character.")
        }
        let first = lines[0].split(separator: 0x20, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        guard first.count == 3, isToken(first[0].utf8) else {
            throw Refusal(.badRequest, "The first line is not \"METHOD ADDRESS HTTP/1.1\".")
        }
        guard first[2].hasPrefix("HTTP/") else { throw Refusal(.badRequest, "The first line does not end with a version of HTTP.") }
        guard first[2] == "HTTP/1.1" || first[2] == "HTTP/1.0" else {
            throw Refusal(.versionNotSupported, "Only HTTP/1.0 and HTTP/1.1 are spoken.")
        }
        let isNew = first[2] == "HTTP/1.1"
        var fields = try fields(lines.dropFirst())
        guard let method = HTTPRequest.Method(rawValue: first[0]) else {
            throw Refusal(.methodNotAllowed, "Only GET and HEAD are allowed: this page changes nothing.")
        }
        var target = first[1]
        if target.lowercased().hasPrefix("http://") {
            // RFC 9112, 3.2.2: the name in an absolute address counts, and the field `host` does not.
            let rest = target.dropFirst(7)
            let slash = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            fields.removeAll { $0.name == "host" }
            fields.append(("host", String(rest[..<slash])))
            target = rest[slash...].hasPrefix("/") ? String(rest[slash...]) : "/\(rest[slash...])"
        }
        guard let address = WebAddress(target) else { throw Refusal(.badRequest, "The address cannot be read.") }
        let hosts = fields.count { $0.name == "host" }
        guard hosts == 1 || !isNew && hosts == 0 else { throw Refusal(.badRequest, "The request needs one field \"Host\".") }
        try refuseBody(fields)
        let wishes = fields.filter { $0.name == "connection" }.map { $0.value.lowercased() }.joined(separator: ",")
            .split(whereSeparator: { $0 == "," || $0 == " " || $0 == "\t" }).map { String($0) }
        let keepsOpen = isNew ? !wishes.contains("close") : wishes.contains("keep-alive")
        return HTTPRequest(method: method, address: address, fields: fields, keepsOpen: keepsOpen)
    }

    private static func fields(_ lines: ArraySlice<ArraySlice<UInt8>>) throws(Refusal) -> [(name: String, value: String)] {
        guard lines.count <= fieldsMax else { throw Refusal(.fieldsTooLarge, "The request has more than \(fieldsMax) fields.") }
        var fields: [(name: String, value: String)] = []
        for line in lines {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), isToken(line[..<colon]) else {
                throw Refusal(.badRequest, "A field is not \"NAME: VALUE\".")
            }
            let value = line[(colon + 1)...].drop(while: isBlank)
            let end = value.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? value.startIndex
            guard value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw Refusal(.badRequest, "A field has a control character.")
            }
            fields.append((String(decoding: line[..<colon], as: UTF8.self).lowercased(), String(decoding: value[..<end], as: UTF8.self)))
        }
        return fields
    }

    private static func refuseBody(_ fields: [(name: String, value: String)]) throws(Refusal) {
        if fields.contains(where: { $0.name == "transfer-encoding" }) { throw Refusal(.badRequest, "The request has a body.") }
        for field in fields where field.name == "content-length" && field.value != "0" {
            throw Refusal(.badRequest, "The request has a body.")
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

    /// RFC 9110, 5.6.2.
    private static func isToken(_ bytes: some Collection<UInt8>) -> Bool {
        let others = Set("!#$%&'*+-.^_`|~".utf8)
        return !bytes.isEmpty
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: others.contains(byte)
                }
            }
    }
}
