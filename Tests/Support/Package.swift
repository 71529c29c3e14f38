/// The directory of the package.
package enum Package {
    /// The root, derived from the path of this file: `/home/alice/spoold`.
    package static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
}
