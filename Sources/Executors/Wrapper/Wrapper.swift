import Documents

/// The script that runs on the other machine around the command of one try. It is POSIX sh, and runs in dash, in bash and in busybox.
///
/// Invariants of the script:
/// - Its first act is to make the directory `started.N`. When that is there already, the script ends without a trace and with exit code
///   ``alreadyStarted``. When it cannot be made for another reason, the script ends with ``notStarted`` and a sentence on standard error.
///   It is on the disk before the command begins.
/// - Once the command has ended, `end.N` says how. It is written under another name, synced and renamed.
/// - While the script lives, `beat.N` changes at least every 20 seconds.
/// - The command gets exactly the arguments and variables of the submission, whatever bytes they have, and `kept` variables of the engine.
public struct Wrapper: Sendable {
    /// The exit code of a second script of the same try. It is not 0, so that an engine that has forgotten the first one does not report
    /// the second one's end as success.
    public static let alreadyStarted: Int32 = 124
    /// The exit code of a script that could not make its start mark.
    public static let notStarted: Int32 = 125

    /// 33 + n has the wrapper send signal n to the command's group. It is for those n that the wrapper does not forward by themselves.
    public static func signal(forwarding number: Int32) -> Int32 { plain.contains(number) ? number : 33 + number }
    private static let plain: Set<Int32> = [1, 2, 3, 10, 12, 14, 23, 28]

    public var submission: Submission
    /// The directory of the run on that machine.
    public var directory: String
    /// Names of variables that the engine sets for the command, and that it keeps: `SLURM_JOB_ID`.
    public var kept: [String] = []
    /// A file that the engine writes to, in the directory. The wrapper removes it when it is empty.
    public var engineLog: String?

    public init(_ submission: Submission, directory: String? = nil) {
        self.submission = submission
        self.directory = directory ?? submission.run.directory
    }

    public var script: [UInt8] {
        let item = submission
        var text = Array("#!/bin/sh\n# spoold: \(item.run.name)\n".utf8)
        func set(_ name: String, _ value: String) {
            text += Array("\(name)=".utf8) + ShellText.word(value) + [UInt8(ascii: "\n")]
        }
        // First a line of code: sbatch reads lines that begin with #SBATCH until the first line that is no comment.
        text += "cr=$(printf '\\r')\n".utf8
        set("dir", directory)
        set("try", "\(item.run.attempt)")
        set("work", item.workingDirectory)
        set("input", item.input ?? "")
        set("out", item.output)
        set("err", item.errorOutput == item.output ? "" : item.errorOutput ?? "")
        set("mask", "0" + String(item.umask, radix: 8))
        set("timeout", "\(item.timeoutMilliseconds)")
        set("stop_signal", "\(item.stopSignal)")
        set("kill_after", "\(item.killAfterMilliseconds)")
        set("output_limit", "\(item.outputLimit)")
        set("engine_log", engineLog ?? "")
        let path = item.environment.last { $0.utf8.starts(with: "PATH=".utf8) }.map { String($0.dropFirst(5)) } ?? "/bin:/usr/bin"
        set("path", path)
        let name = item.arguments.first ?? ""
        let isPath = name.utf8.contains(UInt8(ascii: "/"))
        set("failed_missing", quoted("command not found: \"\(name)\"" + (isPath ? "" : " (PATH=\(path))")))
        set("failed_denied", quoted("permission denied: \"\(name)\" is not executable"))
        set("failed_directory", quoted("directory \"\(item.workingDirectory)\": it cannot be entered on that host"))
        set("failed_input", quoted("standard input \"\(item.input ?? "")\": it cannot be read on that host"))
        set("failed_output", quoted("output \"\(directory)/\(item.output)\": it cannot be written on that host"))
        text += "become() {\n    case $1 in *=*) set -- sh -c 'exec \"$@\"' sh \"$@\" ;; esac\n    set -f\n".utf8
        text += "    exec $session $clean -i --".utf8
        for variable in item.environment { text += [UInt8(ascii: " ")] + ShellText.word(variable) }
        for name in kept { text += " ${\(name)+\"\(name)=$\(name)\"}".utf8 }
        text += " \"$@\" 9>&-\n}\nset --".utf8
        for argument in item.arguments { text += [UInt8(ascii: " ")] + ShellText.word(argument) }
        text += "\n".utf8
        text += Self.body.utf8
        return text
    }

    /// JSON, quotes included.
    private func quoted(_ text: String) -> String {
        var writer = JSONWriter(reserving: text.utf8.count + 2)
        writer.string(text)
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}
