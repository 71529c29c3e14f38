/// The time zones of an iCalendar file, by their TZID.
///
/// A TZID is a name of the time-zone database, or it ends with one after a slash, as some programs write it. Else the file's VTIMEZONE
/// gives the database's name as X-LIC-LOCATION, or it is a name of Windows. The rules in VTIMEZONE are not read.
struct CalendarFileZones {
    private let outer: Zone
    private let database: ZoneDatabase
    /// X-LIC-LOCATION by TZID.
    private var locations: [String: String] = [:]

    /// - Parameter outer: the zone of times that name none.
    init(_ properties: [CalendarProperty], outer: Zone, _ database: ZoneDatabase) {
        self.outer = outer
        self.database = database
        var (id, location): (String?, String?) = (nil, nil)
        for property in properties {
            switch (property.name, property.value.asciiLowercased) {
            case ("BEGIN", "vtimezone"): (id, location) = (nil, nil)
            case ("TZID", _): id = property.value
            case ("X-LIC-LOCATION", _): location = property.value
            case ("END", "vtimezone"): if let id, let location { locations[id] = location }
            default: break
            }
        }
    }

    func zone(of property: CalendarProperty) throws(RecurrenceError) -> Zone {
        guard let id = property.parameter("tzid") else { return outer }
        var names = [id]
        if let location = locations[id] { names.append(location) }
        if let name = OutlookZones.name(for: id) { names.append(name) }
        let parts = id.split(separator: "/")
        for count in [3, 2] where parts.count > count { names.append(parts.suffix(count).joined(separator: "/")) }
        for name in names {
            // The next name is tried. If none is known, the error names the TZID.
            if let zone = try? database.zone(name) { return zone }
        }
        throw RecurrenceError(
            "TZID \(quoted(id)) is no zone of the time-zone database and no Windows zone, and its VTIMEZONE has no X-LIC-LOCATION",
            hint: "export the calendar in UTC, or change the TZID to a name such as Europe/Berlin")
    }
}
