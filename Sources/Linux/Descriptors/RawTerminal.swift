import CLinux
import Glibc

/// A terminal that gives each key as it is pressed, termios(3). Signals from the keyboard stay signals.
public final class RawTerminal {
    private let raw: Int32
    private let original: termios

    /// `raw`: a terminal's descriptor; ENOTTY for anything else. Its settings are those that ``leave()`` goes back to.
    public init(_ raw: Int32) throws(SystemError) {
        var settings = termios()
        try attempt("tcgetattr") { tcgetattr(raw, &settings) }
        self.raw = raw
        original = settings
    }

    /// No echo, and reading returns each byte as it comes.
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

    /// Back to what it was; a terminal that is gone has nothing to go back to.
    public func leave() {
        var settings = original
        _ = tcsetattr(raw, TCSANOW, &settings)
    }

    /// The columns and rows of a terminal, TIOCGWINSZ; 80 by 24 where nobody knows.
    public static func size(_ raw: Int32) -> (columns: Int, rows: Int) {
        let columns = Int(linux_terminal_columns(raw))
        let rows = Int(linux_terminal_rows(raw))
        return (columns > 0 ? columns : 80, rows > 0 ? rows : 24)
    }
}
