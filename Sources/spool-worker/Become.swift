import Glibc
import Linux

/// Takes the rights of a user for good, and becomes a program with them. `words` are the user, the program's file, and the program's
/// arguments with its name first. Ends with 126 when the rights cannot be taken, and with 126 or 127, as a shell does, when the program
/// cannot be started; what the program would have done is certainly not done.
func becomeUser(_ words: [String]) -> Never {
    guard words.count >= 3, let credentials = Credentials(words[0]) else { complain("--become needs a user, a file and a name", code: 2) }
    do throws(SystemError) { try credentials.assume() } catch {
        complain("it did not become user \(credentials.user): \(error)", code: 126)
    }
    let error = Process.become(words[1], arguments: Array(words.dropFirst(2)))
    complain("\(words[2]): \(error.message)", code: error.errno == ENOENT ? 127 : 126)
}

private func complain(_ message: String, code: Int32) -> Never {
    let line = Array("spool-worker: \(message)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
    exit(code)
}
