/// Names of variables whose values people want nobody to see.
public enum SecretName {
    private static let words = ["PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "PRIVATE", "COOKIE", "DSN"].map { Array($0.utf8) }

    /// True for a name that contains one of the usual words, in large or small letters. The name is in bytes.
    public static func isLikely(_ name: some Collection<UInt8>) -> Bool {
        let upper = name.map { $0 >= 0x61 && $0 <= 0x7A ? $0 - 32 : $0 }
        return words.contains { word in
            upper.count >= word.count && (0...(upper.count - word.count)).contains { upper[$0...].starts(with: word) }
        }
    }
}
