import Executors
import Glibc
import Linux
import TextSearch

/// kubectl, which alone talks to the cluster: with its own configuration, credentials and proxies.
struct Kubectl {
    private let words: [String]
    private let environment: [String]
    private let time: CallTime

    init(configuration: String?, context: String?, environment: [String], _ time: CallTime) {
        var words = ["kubectl"]
        if let configuration { words += ["--kubeconfig", configuration] }
        if let context { words += ["--context", context] }
        self.words = words
        self.environment = environment
        self.time = time
    }

    enum Failure: Error {
        /// The server was not reached, or refuses for now.
        case later(String)
        /// The server refuses it for good.
        case refused(String)
        case notFound(String)
        case alreadyExists
        /// It may have been done.
        case unknown(String)

        var words: String {
            switch self {
            case .later(let words), .refused(let words), .notFound(let words), .unknown(let words): words
            case .alreadyExists: "it exists already"
            }
        }
    }

    /// Gets an object or a list, as JSON, or a log.
    func get(_ path: String) -> Result<[UInt8], Failure> { run(["get", "--raw", path]) }

    /// Makes an object. An object of that name is `alreadyExists`.
    func create(_ path: String, _ object: [UInt8]) -> Result<[UInt8], Failure> {
        run(["create", "--raw", path, "-f", "-"], input: object)
    }

    func delete(_ path: String, _ options: [UInt8]) -> Result<[UInt8], Failure> {
        run(["delete", "--raw", path, "-f", "-"], input: options)
    }

    /// The namespace of the context in force. Nil when it names none.
    func contextNamespace() -> String? {
        let result = run(["config", "view", "--minify", "-o", "jsonpath={.contexts[0].context.namespace}"])
        guard case .success(let bytes) = result, !bytes.isEmpty else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static let limitMilliseconds: Int64 = 20_000

    private func run(_ more: [String], input: [UInt8] = []) -> Result<[UInt8], Failure> {
        let outcome = Program.run(
            words + more + ["--request-timeout=15s"], environment: environment, input: input,
            limitMilliseconds: time.milliseconds(atMost: Self.limitMilliseconds))
        if outcome.isFine { return .success(outcome.output) }
        guard outcome.status != nil else { return .failure(.unknown("kubectl did not end in time, or cannot be started: \(outcome.said)")) }
        return .failure(Self.failure(outcome.said))
    }

    /// Reads kubectl's words: `Error from server (REASON): MESSAGE`, where REASON is that of the API's status.
    static func failure(_ said: String) -> Failure {
        let reason = said.split(separator: "(", maxSplits: 1).last?.split(separator: ")", maxSplits: 1).first.map(String.init)
        if said.hasPrefix("Error from server"), let reason {
            switch reason {
            case "AlreadyExists": return .alreadyExists
            case "NotFound": return .notFound(said)
            case "Forbidden": return said.contains("exceeded quota") ? .later(said) : .refused(said)
            case "BadRequest", "Invalid", "MethodNotAllowed", "NotAcceptable", "UnsupportedMediaType", "RequestEntityTooLarge":
                return .refused(said)
            case "TooManyRequests", "ServiceUnavailable", "Unauthorized": return .later(said)
            default: return .unknown(said)
            }
        }
        if said.hasPrefix("The "), said.contains(" is invalid") { return .refused(said) }
        // Words of a connection that was never made.
        let unreached = [
            "was refused", "connection refused", "no such host", "no route to host", "network is unreachable", "TLS handshake", "x509",
            "must be logged in", "does not exist", "no configuration",
        ]
        if unreached.contains(where: { said.contains($0) }) { return .later(said) }
        return .unknown(said)
    }
}
