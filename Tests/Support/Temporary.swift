import Glibc
import Linux

/// Makes an empty directory with a unique name, mkdtemp(3), and returns its path. The caller removes the directory.
package func makeTemporaryDirectory(in parent: String, _ purpose: String) throws -> String {
    var template = Array("\(parent)/\(purpose)-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw SystemError(call: "mkdtemp", path: parent, errno: errno) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
