import CLinux
import Glibc
import Linux

/// The program spoolctl: each of its writes is a file operation in the spool that a shell script could do as well, and its reads
/// need no daemon.
///
/// These hold for every command:
/// - A change that is acknowledged is on the disk: a file is composed in tmp/, synced, and renamed into place without replacing
///   anything, and its directory is synced, before its id is printed.
/// - Data is written to standard output, everything else to standard error, one line for each error.
/// - Exit codes are those of `ExitCode`; scripts rely on them.
package enum Spoolctl {
    /// Carries out the command line of this process and exits with its code.
    package static func run() -> Never {
        StandardDescriptors.open(of: "spoolctl")
        SystemCheck.perform(for: "spoolctl")
        // A definition is read under a lease (fcntl(2), F_SETLEASE). The kernel sends this signal to the lease's holder when another
        // process opens the file for writing; by default the signal ends the process.
        _ = linux_ignore_signal(SIGIO)
        // With these signals ignored, write(2) fails instead, and its error is reported: the reader of a pipe has ended (EPIPE), a
        // file would be longer than `ulimit -f` allows (EFBIG).
        _ = linux_ignore_signal(SIGPIPE)
        _ = linux_ignore_signal(SIGXFSZ)
        exit(Dispatch.run(Array(words.dropFirst()), output: Output(STDOUT_FILENO), errors: Output(STDERR_FILENO)))
    }

    /// The arguments of this process as the system passed them: bytes that are not UTF-8 are kept, in `FileName`'s escaped form.
    private static var words: [String] {
        (0..<Int(CommandLine.argc)).map { index in
            guard let word = CommandLine.unsafeArgv[index] else { return "" }
            let bytes = UnsafeRawBufferPointer(start: word, count: strlen(word)).assumingMemoryBound(to: UInt8.self)
            return FileName.string(from: bytes)
        }
    }
}
