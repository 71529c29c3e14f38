import Glibc
import Linux
import WorkerProtocol

/// Writes the command's environment to a file beside its output, for people. Values that look secret are masked.
func writeEnvironmentFile(_ request: RunRequest) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(1024)
    for line in request.environment {
        let text = FileName.bytes(of: line)
        let name = text.prefix { $0 != UInt8(ascii: "=") }
        if looksSecret(name) {
            bytes += name
            bytes += "=***".utf8
        } else {
            // A value with several lines is written as one line.
            for byte in text { if byte == 0x0A { bytes += "\\n".utf8 } else { bytes.append(byte) } }
        }
        bytes.append(0x0A)
    }
    let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
    let path = "\(request.jobDirectory)/environment"
    guard let file = try? FileDescriptor.open(path, flags, mode: 0o600) else { return }  // only for people: the run goes on without it
    try? file.write(bytes)  // as above, also when the disk is full
}

private let secretWords = ["PASS", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "AUTH", "PRIVATE", "COOKIE", "DSN"].map { Array($0.utf8) }

private func looksSecret(_ name: some Collection<UInt8>) -> Bool {
    let upper = name.map { $0 >= 0x61 && $0 <= 0x7A ? $0 - 32 : $0 }
    return secretWords.contains { word in
        upper.count >= word.count && (0...(upper.count - word.count)).contains { upper[$0...].starts(with: word) }
    }
}
