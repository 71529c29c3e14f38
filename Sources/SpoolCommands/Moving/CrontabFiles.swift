import Crontabs
import Glibc
import Linux
import Store

/// The crontabs for `import crontab`, read as cron(8) would read them.
struct CrontabFiles {
    struct Found {
        enum Content {
            case bytes([UInt8])
            /// cron would not read the file, for this reason.
            case refused(String)
        }

        /// The file's name in messages.
        var file: String
        var content: Content
        /// True when each line names a user.
        var isSystem: Bool
        /// The user of a user's crontab; nil for the user that imports it.
        var user: String?
    }

    let session: Session
    private let namesUsers: Bool

    init(_ session: Session) {
        self.session = session
        namesUsers = session.arguments.flag("system")
    }

    func found(_ operands: [String]) throws(Failure) -> [Found] {
        if operands.isEmpty { return [Found(file: "crontab", content: .bytes(try ownCrontab()), isSystem: namesUsers)] }
        var found: [Found] = []
        for operand in operands {
            if operand == "-" {
                let bytes = try StandardInput.readAll(limit: CrontabPlace.bytesMax)
                found.append(Found(file: "stdin", content: .bytes(bytes), isSystem: namesUsers))
            } else {
                for path in try paths(operand) { found.append(try read(path)) }
            }
        }
        return found
    }

    /// The file itself, or the files of a directory that cron(8) would read.
    private func paths(_ path: String) throws(Failure) -> [String] {
        let names: [String]
        do throws(SystemError) { names = try Directory.open(path).list().filter { $0.kind != .directory }.map(\.name) } catch {
            if error.errno == ENOTDIR { return [path] }
            throw Failure(error.at(path))
        }
        let ofUsers = Self.isDirectoryOfUsers(path.split(separator: "/"))
        return names.filter { ofUsers ? !$0.hasPrefix(".") : CrontabPlace.isSystemName($0) }.sorted().map { "\(path)/\($0)" }
    }

    /// True for Debian's `/var/spool/cron/crontabs`, SUSE's `/var/spool/cron/tabs`, and `/var/spool/cron` of other systems.
    private static func isDirectoryOfUsers(_ parts: [Substring]) -> Bool {
        let last = parts.suffix(2)
        return last == ["cron", "crontabs"] || last == ["cron", "tabs"] || last == ["spool", "cron"]
    }

    private func read(_ path: String) throws(Failure) -> Found {
        let parts = path.split(separator: "/")
        let isSystem = namesUsers || parts.suffix(2) == ["etc", "crontab"] || parts.dropLast().last == "cron.d"
        var found = Found(file: path, content: .bytes([]), isSystem: isSystem)
        var place: CrontabPlace? = found.isSystem ? .system : nil
        if !found.isSystem, Self.isDirectoryOfUsers(Array(parts.dropLast())), let name = parts.last.map(String.init) {
            guard let user = try attempt({ () throws(SystemError) in try User.find(name: name) }) else {
                found.content = .refused("there is no user \"\(name)\", whose crontab this is")
                return found
            }
            found.user = user.name
            place = .user(name: user.name, id: user.id)
        }
        // An ordinary user's imports run as that user, so cron's rules about owners do not apply.
        if geteuid() != 0 { place = nil }
        do throws(SystemError) {
            let name = try FileStatus.read(path)
            let file = try FileDescriptor.open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK)
            if let place, let why = place.refusal(name: name, file: try file.status()) {
                found.content = .refused("cron(8) would not read it: \(why)")
            } else {
                found.content = .bytes(try file.readAll(limit: CrontabPlace.bytesMax))
            }
        } catch {
            throw Failure(error.at(path))
        }
        return found
    }

    /// The output of `crontab -l`.
    private func ownCrontab() throws(Failure) -> [UInt8] {
        let (bytes, status) = try attempt { () throws(SystemError) -> ([UInt8], Int32) in
            let pipe = try Pipe()
            let ends = pipe.release()
            let reading = FileDescriptor(owning: ends.reading)
            let writing = FileDescriptor(owning: ends.writing)
            var words = ["/usr/bin/crontab", "-l"]
            if Process.executability(words[0]) != .executable { words = ["/bin/crontab", "-l"] }
            let pid = try Process.spawn(
                words[0], arguments: words, environment: ["PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"],
                descriptors: [(writing.raw, 1), (STDERR_FILENO, 2)])
            close(writing.release())
            try reading.setBlocking()
            let bytes = try reading.readAll(limit: CrontabPlace.bytesMax)
            return (bytes, exitStatus(of: pid))
        }
        // crontab(1) prints the reason on standard error.
        guard status == 0 else { throw Failure(ExitCode.failed, "crontab -l failed; nothing was imported") }
        return bytes
    }
}
