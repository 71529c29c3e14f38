import Glibc

/// The test cases of other projects: in `SPOOL_VECTORS`, or in `../shared/vectors` beside the package. The package does not
/// contain them; tests that need them are skipped where they are missing.
package let vectorDirectory = getenv("SPOOL_VECTORS").map { String(cString: $0) } ?? "\(Package.root)/../shared/vectors"
