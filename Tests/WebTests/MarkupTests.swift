import Testing

@testable import Web

@Suite struct MarkupTests {
    @Test func textOfOthersIsEscapedAndLiteralsAreNot() {
        let name = "<script>alert('1')</script>\"&"
        let markup: Markup = "<b title=\"\(name)\">\(name)</b>"
        let shown = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;"
        #expect(markup.text == "<b title=\"\(shown)\">\(shown)</b>")
    }

    @Test(arguments: [
        ("a\u{0}b", "a\\x00b"), ("\u{1B}[31m", "\\x1b[31m"), ("\u{202E}txt", "\\u{202e}txt"), ("a\nb", "a\\nb"),
    ])
    func charactersThatNobodySeesAreShown(text: String, shown: String) {
        #expect(("\(text)" as Markup).text == shown)
    }

    @Test func linesKeepTheirEnds() { #expect(Markup.lines("a\n\tb\r<").text == "a\n\tb\\r&lt;") }

    @Test func markupIsPutInAsItIs() {
        let inner: Markup = "<i>\(1 << 3)</i>"
        #expect(("\(inner)\([inner, inner])\(Optional<Markup>.none)" as Markup).text == "<i>8</i><i>8</i><i>8</i>")
    }
}

@Suite struct HashTests {
    /// FIPS 180-4's examples, and lengths around the size of a block, by sha256sum(1).
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (String(repeating: "a", count: 55), "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318"),
        (String(repeating: "a", count: 64), "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb"),
    ])
    func sha256(message: String, hash: String) {
        let hex = SHA256.hash(Array(message.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(hex == hash)
    }

    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func base64(text: String, encoded: String) { #expect(Base64.encode(Array(text.utf8)) == encoded) }
}
