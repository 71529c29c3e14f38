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
        if SecretName.isLikely(name) {
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
