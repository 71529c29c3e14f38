import Testing

@testable import Linux

@Suite("The user namespace")
struct UserNamespaceTests {
    @Test("There are other users unless the namespace maps only one number", arguments: [
        ("         0          0 4294967295\n", true),
        ("         0       1001          1\n", false),
        ("      1001          0          1\n", false),
        // Rootless containers map the user's own number and a range of subordinate numbers, subuid(5).
        ("         0       1001          1\n         1     100000      65536\n", true),
        // The mapping is not written yet, so nothing is known.
        ("", true),
        ("garbage\n", true),
    ])
    func map(text: String, hasOthers: Bool) {
        #expect(UserNamespace.hasOtherUsers(map: text) == hasOthers)
    }
}
