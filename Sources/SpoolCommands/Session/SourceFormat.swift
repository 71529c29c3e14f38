import Store

extension Source {
    /// The format of a text without a file name: JSON when it begins with `{`, else TOML.
    static func format(ofText bytes: [UInt8]) -> Format { bytes.first { $0 > 0x20 } == UInt8(ascii: "{") ? .json : .toml }

    /// Why a file is not a job, and how to make it one.
    static func refusal(firstBytes bytes: [UInt8]) -> (message: String, hint: String?) {
        bytes.starts(with: Array("#!".utf8))
            ? ("is a script but not executable", "chmod +x it")
            : ("is not a job: expected NAME.toml, NAME.json, or an executable script that begins with #!", nil)
    }
}
