/// The time zones of an iCalendar file, by their TZID.
///
/// A TZID is a name of the time-zone database, or it ends with one after a slash, as some programs write it. Else the file's VTIMEZONE
/// gives the database's name as X-LIC-LOCATION, or it is a name of Windows. The rules in VTIMEZONE are not read.
struct CalendarFileZones {
    private let outer: Zone
    /// The zones of all TZIDs that times of the file name. A TZID without one is not known.
    private var zones: [String: Zone] = [:]

    /// - Parameter outer: the zone of times that name none.
    init(_ properties: [CalendarProperty], outer: Zone, _ database: ZoneDatabase) {
        self.outer = outer
        // X-LIC-LOCATION by TZID.
        var locations: [String: String] = [:]
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
        for id in Set(properties.compactMap { $0.parameter("tzid") }) { zones[id] = Self.zone(id, locations[id], database) }
    }

    private static func zone(_ id: String, _ location: String?, _ database: ZoneDatabase) -> Zone? {
        var names = [id]
        if let location { names.append(location) }
        if let name = OutlookZones.name(for: id) { names.append(name) }
        let parts = id.split(separator: "/")
        for count in [3, 2] where parts.count > count { names.append(parts.suffix(count).joined(separator: "/")) }
        for name in names {
            if let zone = database.zone(ifKnown: name) { return zone }
        }
        return nil
    }

    func zone(of property: CalendarProperty) throws(RecurrenceError) -> Zone {
        guard let id = property.parameter("tzid") else { return outer }
        if let zone = zones[id] { return zone }
        throw RecurrenceError(
            "TZID \(quoted(id)) is no zone of the time-zone database and no Windows zone, and its VTIMEZONE has no X-LIC-LOCATION",
            hint: "export the calendar in UTC, or change the TZID to a name such as Europe/Berlin")
    }
}
