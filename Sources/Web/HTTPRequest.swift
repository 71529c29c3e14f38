// Web: HTTP/1.1 (RFC 9110, RFC 9112) and HTML as texts, for a server that only answers GET and HEAD. Pure: no socket and no clock.

/// One request of a client, as ``RequestParser`` has read it.
public struct HTTPRequest: Sendable, Equatable {
    public enum Method: String, Sendable { case get = "GET", head = "HEAD" }

    public var method: Method
    public var address: WebAddress
    /// The header fields in their order. The names are in small letters.
    public var fields: [(name: String, value: String)]
    /// True when the client may send another request over the connection.
    public var keepsOpen: Bool

    public init(method: Method, address: WebAddress, fields: [(name: String, value: String)] = [], keepsOpen: Bool = true) {
        self.method = method
        self.address = address
        self.fields = fields
        self.keepsOpen = keepsOpen
    }

    public static func == (a: HTTPRequest, b: HTTPRequest) -> Bool {
        a.method == b.method && a.address == b.address && a.keepsOpen == b.keepsOpen && a.fields.elementsEqual(b.fields, by: ==)
    }

    /// The value of the first field of this name, which is in small letters.
    public func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    /// The value of a cookie (RFC 6265, 5.4).
    public func cookie(_ name: String) -> String? {
        for field in fields where field.name == "cookie" {
            for pair in field.value.split(separator: ";") {
                let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                if parts.count == 2, parts[0].drop(while: { $0 == " " }) == name { return String(parts[1]) }
            }
        }
        return nil
    }

    /// The name in the field `host` or in an absolute target: without the port, and in small letters. Nil when the client sent none.
    public var host: String? {
        guard let value = field("host")?.lowercased(), !value.isEmpty else { return nil }
        if value.hasPrefix("[") { return value.firstIndex(of: "]").map { String(value[...$0]) } ?? value }
        return String(value.prefix { $0 != ":" })
    }
}
