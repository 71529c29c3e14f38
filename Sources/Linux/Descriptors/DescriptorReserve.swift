import CLinux
import Glibc

/// Descriptors that are kept open in reserve. When the process has no other descriptors left, it closes these, and work under way can be
/// finished with them.
public final class DescriptorReserve {
    private var held: [Int32] = []
    private var wanted = 0

    public init() {}

    deinit { spend() }

    /// Keeps this number of descriptors from now on, or none while there are too few.
    public func keep(_ count: Int) {
        wanted = count
        _ = refill()
    }

    public var isWhole: Bool { held.count >= wanted }

    /// Closes the reserve. Returns false when it was empty.
    @discardableResult
    public func spend() -> Bool {
        guard !held.isEmpty else { return false }
        for raw in held { close(raw) }
        held = []
        return true
    }

    /// Opens the reserve again, if twice as many descriptors are free: otherwise the next need would spend it at once. Returns true when
    /// the reserve is complete.
    public func refill() -> Bool {
        if isWhole { return true }
        var new: [Int32] = []
        while held.count + new.count < 2 * wanted {
            let raw = try? attempt("open", "/") { linux_openat(AT_FDCWD, "/", LINUX_O_PATH | O_CLOEXEC, 0) }  // none left
            guard let raw else { break }
            new.append(raw)
        }
        let isEnough = held.count + new.count >= 2 * wanted
        // Keep the lowest numbers: they stay valid when the limit is lowered.
        let kept = isEnough ? wanted - held.count : 0
        held += new.prefix(kept)
        for raw in new.dropFirst(kept) { close(raw) }
        return isEnough
    }
}
