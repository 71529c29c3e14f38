import CLinux
import Glibc
import Linux

/// The program of an executor: the open file, and the path by which a person knows it. Whoever runs executors finds them here: spoold for
/// jobs, and spoolctl for what people ask.
public struct ExecutorProgram: ~Copyable {
    public let file: FileDescriptor
    public let path: String

    /// The reason why there is no program that can be run.
    public enum Refusal: Error {
        /// There is none in the spool and none is installed.
        case missing(String)
        /// Others could have written it, or it is no program.
        case unsafe(String)
        case unreadable(path: String, SystemError)

        public var why: String {
            switch self {
            case .missing(let why), .unsafe(let why): why
            case .unreadable(let path, let error): "\(path): \(error)"
            }
        }
    }

    /// Finds `executors/NAME` in the spool, or else the first of the programs at `installed` that is there.
    ///
    /// A program in the spool is opened once, without following a link. The same open file is checked and executed. The directory of
    /// installed executors belongs to whoever installed spoold, and has links.
    public static func find(_ name: String, spool: String, installed: [String]) throws(Refusal) -> ExecutorProgram {
        let own = "\(spool)/\(Layout.executors)/\(name)"
        let why: String?
        do throws(SystemError) {
            if let file = try openOwn(name, spool: spool) {
                why = try file.status().refusalAsProgram
                if why == nil { return ExecutorProgram(file: file, path: own) }
            } else {
                why = nil
            }
        } catch { throw .unreadable(path: own, error) }
        if let why { throw .unsafe("\(own) \(why)") }
        for path in installed {
            do throws(SystemError) { return ExecutorProgram(file: try FileDescriptor.open(path, LINUX_O_PATH), path: path) } catch {
                guard error.errno == ENOENT else { throw .unreadable(path: path, error) }
            }
        }
        throw .missing("there is no executor \(name), neither \(([own] + installed).joined(separator: " nor "))")
    }

    private static func openOwn(_ name: String, spool: String) throws(SystemError) -> FileDescriptor? {
        do throws(SystemError) {
            return try Directory.open("\(spool)/\(Layout.executors)").openFile(name, LINUX_O_PATH | O_NOFOLLOW)
        } catch {
            guard error.errno == ENOENT else { throw error }
            return nil
        }
    }

    /// The descriptor on which a process has the program that it becomes, and the path of that.
    public static let descriptor: Int32 = 3
    public static let executable = "/proc/self/fd/3"
}
