import CLinux

/// The memory that the program has freed, and that malloc(3) keeps for later.
public enum Memory {
    /// Large blocks always come from the kernel and go back to it. By default, the first large block that is freed raises the limit, and
    /// later ones leave holes between small blocks.
    public static func keepLargeBlocksApart() {
        // Neither returns an error for these values. The second avoids calls of brk(2) where memory is freed and needed again at once.
        _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 1 << 20)
    }

    /// Gives freed memory back to the kernel. Costs some milliseconds when much was freed.
    public static func giveBack() { _ = malloc_trim(0) }  // tells only whether there was any
}
