// spoolctl: the command. Every one of its writes is a file operation in the spool that a shell script could do as well;
// its reads need no daemon.
//
// What holds for every command:
// - What is acknowledged is on the disk: a file is composed in tmp/, synced, renamed into place without replacing
//   anything, and its directory synced, before its id is printed.
// - Data goes to standard output, everything else to standard error, one line for each error.
// - Exit codes are those of `ExitCode`, for scripts to rely on.

import CLinux
import Glibc
import Linux

/// Arguments as the system gave them: bytes that are no UTF-8 survive in `FileName`'s escaped form.
func commandLine() -> [String] {
    (0..<Int(CommandLine.argc)).map { index in
        guard let word = CommandLine.unsafeArgv[index] else { return "" }
        let bytes = UnsafeRawBufferPointer(start: word, count: strlen(word)).assumingMemoryBound(to: UInt8.self)
        return FileName.string(from: bytes)
    }
}

StandardDescriptors.open()

// A definition is read under a lease, which tells whether somebody writes it; should one begin just then, fcntl(2) sends this
// signal, whose default would end us.
_ = linux_ignore_signal(SIGIO)
// A reader that went away is told by the write, whose error says what to do about it.
_ = linux_ignore_signal(SIGPIPE)
// A file that would be longer than `ulimit -f` allows is told by the write, too.
_ = linux_ignore_signal(SIGXFSZ)

exit(Dispatch.run(Array(commandLine().dropFirst()), output: Output(STDOUT_FILENO), errors: Output(STDERR_FILENO)))
