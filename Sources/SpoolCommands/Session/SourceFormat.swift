import Store

extension Source {
    /// The format of a text without a file name: JSON when it begins with `{`, else TOML.
    static func format(ofText bytes: [UInt8]) -> Format { bytes.first { $0 > 0x20 } == UInt8(ascii: "{") ? .json : .toml }
}
