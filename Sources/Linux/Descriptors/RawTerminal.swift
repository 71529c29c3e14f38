import CLinux
import Glibc

/// A terminal whose keys can be read one by one as they are pressed, termios(3). Keys that send signals still do so.
public final class RawTerminal {
    private let raw: Int32
    private let original: termios

    /// Takes the descriptor of a terminal, and remembers its settings for ``leave()``. Throws ENOTTY for anything else.
    public init(_ raw: Int32) throws(SystemError) {
        var settings = termios()
        try attempt("tcgetattr") { tcgetattr(raw, &settings) }
        self.raw = raw
        original = settings
    }

    /// Turns echo off, and has read(2) return each byte at once.
    public func enter() throws(SystemError) {
        var settings = original
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | IEXTEN)
        withUnsafeMutableBytes(of: &settings.c_cc) { keys in
            keys[Int(VMIN)] = 1
            keys[Int(VTIME)] = 0
        }
        let raw = raw
        try attempt("tcsetattr") { tcsetattr(raw, TCSANOW, &settings) }
    }

    /// Restores the settings. A failure is ignored: the terminal is then gone.
    public func leave() {
        var settings = original
        _ = tcsetattr(raw, TCSANOW, &settings)
    }

    /// The columns and rows of a terminal, TIOCGWINSZ, or 80 by 24 when they are not known.
    public static func size(_ raw: Int32) -> (columns: Int, rows: Int) {
        let columns = Int(linux_terminal_columns(raw))
        let rows = Int(linux_terminal_rows(raw))
        return (columns > 0 ? columns : 80, rows > 0 ? rows : 24)
    }
}
