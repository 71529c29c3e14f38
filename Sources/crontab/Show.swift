import Crontabs
import Glibc
import Linux

/// `-l`: copies the crontab to standard output, without its header.
func list(_ invocation: Invocation, _ tabs: borrowing TabDirectory) {
    let user = invocation.user.name
    invocation.log("LIST")
    do throws(SystemError) {
        guard let file = try tabs.openTab(of: invocation.user) else { fail("no crontab for \(user)") }
        var isFirst = true
        var last: UInt8?
        while true {
            var chunk = try readChunk(file)
            if chunk.isEmpty { return }
            if isFirst, !showsHeader { chunk.removeFirst(TabHeader.length(in: chunk)) }
            isFirst = false
            let shown = visible(chunk, after: last)
            last = shown.last ?? last
            guard write(shown, to: STDOUT_FILENO) else { fail("\(programName): standard output: \(SystemError.message(errno))") }
        }
    } catch {
        fail("crontabs/\(user)/: fopen: \(error.message)")
    }
}

/// The header is shown when `$CRONTAB_NOHEADER` begins with N.
private var showsHeader: Bool {
    guard let value = getenv("CRONTAB_NOHEADER") else { return false }
    return value[0] == CChar(bitPattern: UInt8(ascii: "N")) || value[0] == CChar(bitPattern: UInt8(ascii: "n"))
}

private func readChunk(_ file: borrowing FileDescriptor) throws(SystemError) -> [UInt8] {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    let count = chunk.withUnsafeMutableBytes { buffer in
        Result { () throws(SystemError) in try file.read(into: buffer) }
    }
    return Array(chunk.prefix(try count.get()))
}

/// Writes a backspace and a carriage return, which would hide what stands before them, as Debian's crontab does: `\b`, `\r`. On a terminal,
/// other bytes that it would obey are octal numbers. `last` is the byte that was shown before.
private func visible(_ bytes: [UInt8], after last: UInt8?) -> [UInt8] {
    let isTerminal = isatty(STDOUT_FILENO) == 1
    var shown: [UInt8] = []
    shown.reserveCapacity(bytes.count)
    for byte in bytes {
        switch byte {
        case 0x08: shown += "\\b".utf8
        case 0x0D: shown += "\\r".utf8
        case 0x0A, 0x09: shown.append(byte)
        case _ where isTerminal && isObeyed(byte, after: shown.last ?? last):
            let digits = String(byte, radix: 8)
            shown += "\\\(String(repeating: "0", count: 3 - digits.utf8.count))\(digits)".utf8
        default: shown.append(byte)
        }
    }
    return shown
}

/// True for a control character. A byte of 80 to 9F is one unless it belongs to a letter in UTF-8; after C2 it does not.
private func isObeyed(_ byte: UInt8, after last: UInt8?) -> Bool {
    if byte < 0x20 || byte == 0x7F { return true }
    guard (0x80..<0xA0).contains(byte) else { return false }
    return last.map { $0 < 0x80 || $0 == 0xC2 } ?? true
}

/// `-r`: removes the crontab, with `-i` after a question.
func remove(_ invocation: Invocation, _ tabs: borrowing TabDirectory) {
    let user = invocation.user.name
    do throws(SystemError) {
        // It need not be a file, and need not be readable.
        guard try tabs.kind(of: invocation.user) != nil else { fail("no crontab for \(user)") }
    } catch {
        fail("\(TabDirectory.parent)/: \(error.call): \(error.message)")
    }
    if invocation.asksFirst {
        switch ask("crontab: really delete \(user)'s crontab? (y/n) ", again: "Please enter Y or N: ") {
        case true?: break
        case false?: return
        case nil: fail("\(programName): no answer; the crontab of \(user) was not removed")
        }
    }
    invocation.log("DELETE")
    do throws(SystemError) { try tabs.remove(invocation.user) } catch {
        if error.errno == ENOENT { fail("no crontab for \(user)") }
        fail("\(TabDirectory.parent)/: \(error.call): \(error.message)")
    }
}
