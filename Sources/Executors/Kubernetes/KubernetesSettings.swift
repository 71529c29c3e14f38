import Documents

/// The table `[executors.kubernetes]`.
public struct KubernetesSettings: Sendable, Equatable {
    /// The image of jobs that name none.
    public var image: String?
    /// Nil: that of kubectl's context.
    public var namespace: String?
    public var context: String?
    public var configuration: String?
    public var serviceAccount: String?

    public struct Mistake: Error, Equatable {
        public var message: String
        public init(message: String) { self.message = message }
    }

    /// Reads the table. Keys that it does not know are for the daemon.
    public init(_ table: Table) throws(Mistake) {
        func string(_ key: String) throws(Mistake) -> String? {
            switch table[key]?.kind {
            case nil: return nil
            case .string(let text) where !text.isEmpty: return text
            default: throw Mistake(message: "\(key): expected a string")
            }
        }
        image = try string("image")
        namespace = try string("namespace")
        context = try string("context")
        configuration = try string("kubeconfig")
        serviceAccount = try string("service_account")
        if let namespace, !KubernetesPlace.isName(namespace) {
            throw Mistake(message: "namespace: \"\(namespace)\" is no name of a namespace")
        }
    }

    private static let imageOption = "--image="

    /// The image that a job names.
    public static func image(of item: Submission) -> String? {
        item.executorArguments.last { $0.hasPrefix(imageOption) }.map { String($0.dropFirst(imageOption.count)) }
    }

    /// The first argument of a job that means nothing here.
    public static func unknownArgument(of item: Submission) -> String? { item.executorArguments.first { !$0.hasPrefix(imageOption) } }

    /// The label's value for a spool on a machine: FNV-1a, 64 bits.
    public static func tag(machine: String, spool: String) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "\(machine)\0\(spool)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// A name of a pod: labels of DNS with dots between them.
    public static func isPodName(_ text: String) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return text.utf8.count <= 253 && labels.allSatisfy { KubernetesPlace.isName(String($0)) }
    }

    /// Reads the answer to a SelfSubjectAccessReview.
    public static func isAllowed(_ review: [UInt8]) -> Bool {
        guard case .boolean(true)? = JSON.readableTable(review)?.at("status", "allowed")?.kind else { return false }
        return true
    }
}
