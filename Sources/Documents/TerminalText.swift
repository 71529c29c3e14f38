/// What others wrote and a terminal shows.
public enum TerminalText {
    /// C0, DEL, C1, and the marks that turn the direction of what follows: a terminal would not show the character but obey it.
    public static func isUnsafe(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: true
        default: false
        }
    }
}
