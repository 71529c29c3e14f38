/// The codes that this server answers with (RFC 9110, 15; RFC 6585).
public enum HTTPStatus: Int, Sendable {
    case ok = 200, seeOther = 303
    case badRequest = 400, unauthorized = 401, forbidden = 403, notFound = 404, methodNotAllowed = 405, requestTimeout = 408
    case misdirected = 421, fieldsTooLarge = 431
    case failed = 500, unavailable = 503, versionNotSupported = 505

    public var words: String {
        switch self {
        case .ok: "OK"
        case .seeOther: "See Other"
        case .badRequest: "Bad Request"
        case .unauthorized: "Unauthorized"
        case .forbidden: "Forbidden"
        case .notFound: "Not Found"
        case .methodNotAllowed: "Method Not Allowed"
        case .requestTimeout: "Request Timeout"
        case .misdirected: "Misdirected Request"
        case .fieldsTooLarge: "Request Header Fields Too Large"
        case .failed: "Internal Server Error"
        case .unavailable: "Service Unavailable"
        case .versionNotSupported: "HTTP Version Not Supported"
        }
    }
}

/// An answer.
public struct HTTPResponse: Sendable {
    public var status: HTTPStatus
    public var fields: [(name: String, value: String)]
    /// Nil for a stream, whose bytes follow until the connection is closed.
    public var body: [UInt8]?

    public init(_ status: HTTPStatus, type: String, body: [UInt8]?, fields: [(name: String, value: String)] = []) {
        self.status = status
        self.body = body
        self.fields = [("Content-Type", type)] + fields
    }

    public init(_ status: HTTPStatus, text: String, fields: [(name: String, value: String)] = []) {
        self.init(status, type: "text/plain; charset=utf-8", body: Array(text.utf8), fields: fields)
    }

    /// The answer as it is sent.
    ///
    /// - Parameters:
    ///   - always: fields of every answer.
    ///   - isHead: the client wants only the fields.
    ///   - keepsOpen: false when the connection is closed afterwards.
    public func bytes(always: [(name: String, value: String)], isHead: Bool, keepsOpen: Bool) -> [UInt8] {
        var text = "HTTP/1.1 \(status.rawValue) \(status.words)\r\n"
        for (name, value) in fields + always {
            // A value can come from elsewhere. It must not end the line.
            precondition(value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a field is one line")
            text += "\(name): \(value)\r\n"
        }
        if let body { text += "Content-Length: \(body.count)\r\n" }
        text += keepsOpen && body != nil ? "\r\n" : "Connection: close\r\n\r\n"
        return Array(text.utf8) + (isHead ? [] : body ?? [])
    }
}
