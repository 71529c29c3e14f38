import Testing

@testable import Model

@Suite struct AcceptedCalendarTests {
    /// The form in the journal is longer than the file.
    @Test func aCalendarOfTheLargestFileIsReadAgain() throws {
        let event = "BEGIN:VEVENT\nDTSTART:20261224\nEND:VEVENT\n"
        let filler = String(repeating: "UID:\n", count: (Calendars.fileBytesMax - 1000) / 5)
        let file = Array("BEGIN:VCALENDAR\n\(event)\(filler)END:VCALENDAR\n".utf8)
        #expect(file.count <= Calendars.fileBytesMax)
        let zones = ZoneDatabase()
        let calendars = Calendars([Calendars.Entry(name: "c", file: "/c.ics")], zone: .utc, zones: zones) { _ in file }
        let accepted = try #require(calendars.accepted("c"))
        #expect(accepted.source.bytes.count > Calendars.fileBytesMax)
        #expect(AcceptedCalendar(name: "c", accepted.source) == accepted)
    }
}
