import CLinux
import Glibc

/// Descriptors that are kept open for the moment when no other can be had: given up, they make room for what is under way.
public final class DescriptorReserve {
    private var held: [Int32] = []
    private var wanted = 0

    public init() {}

    deinit { spend() }

    /// Keeps so many from now on, as far as they can be had.
    public func keep(_ count: Int) {
        wanted = count
        _ = refill()
    }

    public var isWhole: Bool { held.count >= wanted }

    /// Gives them up. False when there was none.
    @discardableResult
    public func spend() -> Bool {
        guard !held.isEmpty else { return false }
        for raw in held { close(raw) }
        held = []
        return true
    }

    /// Takes them back, if twice as many can be had: who then needs one does not come to spend them at once.
    public func refill() -> Bool {
        if isWhole { return true }
        var new: [Int32] = []
        while held.count + new.count < 2 * wanted {
            // No descriptor can be had, for whatever reason.
            guard let raw = try? attempt("open", "/", { linux_openat(AT_FDCWD, "/", LINUX_O_PATH | O_CLOEXEC, 0) }) else { break }
            new.append(raw)
        }
        let isEnough = held.count + new.count >= 2 * wanted
        // The lowest, which a limit that is lowered leaves to us.
        let kept = isEnough ? wanted - held.count : 0
        held += new.prefix(kept)
        for raw in new.dropFirst(kept) { close(raw) }
        return isEnough
    }
}
