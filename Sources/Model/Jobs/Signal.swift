/// Signals by name and number, as on Linux (signal(7)).
public enum Signal {
    public static let names: [(name: String, number: Int32)] = [
        ("HUP", 1), ("INT", 2), ("QUIT", 3), ("ILL", 4), ("TRAP", 5), ("ABRT", 6), ("BUS", 7), ("FPE", 8), ("KILL", 9),
        ("USR1", 10), ("SEGV", 11), ("USR2", 12), ("PIPE", 13), ("ALRM", 14), ("TERM", 15), ("CHLD", 17), ("CONT", 18),
        ("STOP", 19), ("TSTP", 20), ("TTIN", 21), ("TTOU", 22), ("URG", 23), ("XCPU", 24), ("XFSZ", 25), ("VTALRM", 26),
        ("PROF", 27), ("WINCH", 28), ("IO", 29), ("PWR", 30), ("SYS", 31),
    ]

    /// `TERM`, `SIGTERM`, `sigterm` and `15` have the same meaning. Returns nil when there is no such signal.
    public static func number(_ text: String) -> Int32? {
        if let number = Int32(text) { return (1...64).contains(number) ? number : nil }
        var word = text.uppercased()
        if word.hasPrefix("SIG") { word.removeFirst(3) }
        return names.first { $0.name == word }?.number
    }

    /// `SIGTERM`, or the number of a signal without a name.
    public static func name(_ number: Int32) -> String {
        names.first { $0.number == number }.map { "SIG\($0.name)" } ?? "signal \(number)"
    }
}
