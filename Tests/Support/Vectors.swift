import Glibc

/// The directory with the test cases of other projects: `SPOOL_VECTORS`, or `../shared/vectors` beside the package. The package
/// does not contain them. Tests that need them are skipped where they are missing.
package let vectorDirectory = getenv("SPOOL_VECTORS").map { String(cString: $0) } ?? "\(Package.root)/../shared/vectors"
