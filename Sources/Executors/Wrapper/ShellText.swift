import Linux

/// Text for a POSIX shell.
public enum ShellText {
    /// One word that the shell reads as exactly these bytes. The text is the bytes of a file name (`FileName`), without NUL.
    ///
    /// A carriage return is written as "$cr", because sbatch refuses a script with a line that ends in one; the script defines it.
    static func word(_ text: String) -> [UInt8] {
        var word: [UInt8] = [UInt8(ascii: "'")]
        for byte in FileName.bytes(of: text) {
            switch byte {
            case UInt8(ascii: "'"): word += "'\\''".utf8
            case UInt8(ascii: "\r"): word += "'\"$cr\"'".utf8
            default: word.append(byte)
            }
        }
        word.append(UInt8(ascii: "'"))
        return word
    }
}
