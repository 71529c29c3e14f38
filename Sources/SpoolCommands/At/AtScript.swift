import Glibc
import Linux
import Store

/// The script of a job of at: the umask, the environment and the directory of the caller, then the commands. The text is that of Debian's
/// at, because scripts read `at -c`, and `spoolctl import at` reads it too.
struct AtScript {
    private var bytes: [UInt8] = []

    /// Variables of a terminal or a shell, which at leaves out.
    private static let leftOut: Set = ["TERM", "DISPLAY", "_", "SHELLOPTS", "BASH_VERSINFO", "EUID", "GROUPS", "PPID", "UID"]

    init(commands: [UInt8], mailUser: String, mail: Int) throws(Failure) {
        let mask = umask(0)
        umask(mask)
        add("#!/bin/sh\n# atrun uid=\(getuid()) gid=\(getgid())\n# mail \(mailUser) \(mail)\numask \(String(mask, radix: 8))\n")
        for assignment in environmentAssignments() { add(variable: FileName.bytes(of: assignment)) }
        add("cd ")
        add(quoted: FileName.bytes(of: try currentDirectory("call at in another directory"))[...], plain: "/")
        add(" || {\n\t echo 'Execution directory inaccessible' >&2\n\t exit 1\n}\n")
        bytes += commands
        add("\n")
    }

    var text: String { FileName.string(from: bytes) }
    var hasZero: Bool { bytes.contains(0) }

    private mutating func add(_ text: String) { bytes += FileName.bytes(of: text) }

    private mutating func add(variable assignment: [UInt8]) {
        guard let equals = assignment.firstIndex(of: UInt8(ascii: "=")) else { return }
        let name = assignment[..<equals]
        guard let first = name.first, !Self.isDigit(first), name.allSatisfy({ Self.isLetterOrDigit($0) || $0 == UInt8(ascii: "_") }),
            !Self.leftOut.contains(String(decoding: name, as: UTF8.self))
        else { return }
        bytes += name
        add("=")
        add(quoted: assignment[(equals + 1)...], plain: "%/{[]=}@+#,.:-_")
        add("; export ")
        bytes += name
        add("\n")
    }

    /// Writes a backslash before every byte that is neither a letter, a digit nor one of `plain`.
    private mutating func add(quoted text: ArraySlice<UInt8>, plain: String) {
        for byte in text {
            if byte == 0x0A {
                add("\"\n\"")
            } else {
                if !Self.isLetterOrDigit(byte), !plain.utf8.contains(byte) { bytes.append(UInt8(ascii: "\\")) }
                bytes.append(byte)
            }
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}

/// The part before the script of a batch job. It lets the script run only at a low load, and one job begin in each minute, so that the load
/// shows the work of a job before the next begins: atd waits for a minute between two. A job that may not begin ends its try with
/// EX_TEMPFAIL, and the next try follows after a wait. So a job that waits takes no slot.
enum BatchStart {
    /// atd.c: LOADAVG_MX of Debian's at.
    static let loadMax = "1.5"
    private static let begin = "# Runs below a load of \(loadMax), one job a minute; else tries again later.\n"
    /// A directory. A job that begins makes a directory in it, named after the minute, and only one job can make that. Each user of root's
    /// spool has one, because nobody may write to another's part. Where it cannot be made, the load alone counts.
    private static let minutes = "\(Layout.state)/at-batch"
    private static let test = """
        read -r load rest </proc/loadavg && case $load in 0.*|1.[0-4]*) ;; *) exit 75 ;; esac
        minutes=$SPOOL_DIR/\(minutes) minute=$(($(date +%s) / 60))
        mkdir -p "$minutes" 2>/dev/null
        if ! mkdir "$minutes/$minute" 2>/dev/null && [ -d "$minutes/$minute" ]; then exit 75; fi
        for old in "$minutes"/*; do [ "$old" = "$minutes/$minute" ] || rmdir "$old" 2>/dev/null; done

        """
    /// The commands are the text of a here-document, so nothing in them, such as a here-document without an end, reaches beyond it.
    private static let open = ("/bin/sh /dev/fd/3 3<<'", "'\nexec 3<&-\n")
    private static let end = "code=$?\n[ \"$code\" != 75 ] || code=1\nexit \"$code\"\n"

    static func wrap(_ script: String) -> String {
        guard let newline = script.firstIndex(of: "\n") else { return script }
        let commands = script[script.index(after: newline)...]
        var mark = "END-OF-BATCH"
        while commands.firstRange(of: "\(mark)\n") != nil { mark += "-" }
        return "\(script[...newline])\(begin)\(test)\(open.0)\(mark)\(open.1)\(commands)\n\(mark)\n\(end)"
    }

    /// The script that was wrapped.
    static func unwrap(_ script: String) -> String {
        guard let start = script.firstRange(of: "\n\(begin)\(test)\(open.0)") else { return script }
        let mark = script[start.upperBound...].prefix { $0 != "'" }
        let close = "\n\(mark)\n\(end)"
        guard script[mark.endIndex...].hasPrefix(open.1), script.hasSuffix(close) else { return script }
        return "\(script[..<start.lowerBound])\n\(script[mark.endIndex...].dropFirst(open.1.count).dropLast(close.count))"
    }

    /// Adds what lets a try end without the job's end.
    static func setTries(_ table: inout Table) {
        table.set("tries", Value(.integer(1_000_000)))
        table.set("retry_on", Value(.array([Value(.integer(75))])))
        table.set("backoff", Value(.string("1m")))
    }
}
