/// Where the package is that these tests belong to.
package enum Package {
    /// The root, found from this file: `/home/alice/spoold`.
    package static let root = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined()
}
