/// The file `waiter` in a job's directory. A command waits for the job, shows its output, and may give the job its standard
/// input.
///
/// The command creates the file before the job is submitted, and holds shared locks on its bytes (F_OFD_SETLK) until it ends, for
/// whatever reason. A waiting command locks the first byte, and a command that shows the output also locks the second. No process
/// has the file open for writing, because files in `new/` are not taken up while they are. So the worker knows that a reader of
/// the output is coming before that reader has opened it, and that the giver of the input is still alive.
///
/// Input that is given while the job runs passes through a FIFO in the place of the input file. When all of it has been given,
/// the file becomes read-only. A waiter that ends before that has not given all of it.
public enum Waiter {
    public static let fileName = "waiter"

    /// The byte that a waiting command locks.
    public static let waitingByte: Range<Int64> = 0..<1
    /// The byte that a command locks if it also shows the output.
    public static let outputByte: Range<Int64> = 1..<2

    /// The file's mode until all input has been given, and the mode afterwards.
    public static let mode: UInt32 = 0o644
    public static let modeAtEndOfInput: UInt32 = 0o444

    /// Replaces the FIFO once the job has begun: a dangling symbolic link, because the input that was given is not kept.
    public static let inputGone = "given by spoolctl submit -w, and not kept"
}
