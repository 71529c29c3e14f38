import Linux
import Testing

@Suite struct PasswordAgingTests {
    @Test("An account may be used under the same conditions as with pam_unix(8) and cron(8)", arguments: [
        (PasswordAging(), 20_000, nil, nil),
        (PasswordAging(expires: 20_001), 20_000, nil, 20_001),
        (PasswordAging(expires: 20_000), 20_000, "the account has expired", nil),
        (PasswordAging(expires: 0), 20_000, "the account has expired", nil),
        (PasswordAging(lastChange: 0, daysMax: 99_999), 20_000, "the password must be changed", nil),
        (PasswordAging(lastChange: 19_990, daysMax: 10), 20_000, nil, 20_001),
        (PasswordAging(lastChange: 19_989, daysMax: 10), 20_000, "the password has expired", nil),
        (PasswordAging(lastChange: 20_500, daysMax: 10), 20_000, nil, 20_511),
        (PasswordAging(expires: 20_300, lastChange: 19_000, daysMax: 99_999), 20_000, nil, 20_300),
        (PasswordAging(lastChange: 19_000, daysMax: .max), 20_000, nil, nil),
    ] as [(PasswordAging, Int, String?, Int?)])
    func refusals(_ aging: PasswordAging, day: Int, why: String?, next: Int?) {
        #expect(aging.refusal(onDay: day) == why)
        #expect(aging.nextChange(afterDay: day) == next)
    }
}
