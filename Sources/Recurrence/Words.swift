/// English text for lists, ordinals and names in explanations.
enum Words {
    static let weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
    ]

    /// `a`, `a and b`, `a, b and c`.
    static func list(_ items: [String]) -> String {
        guard let last = items.last, items.count > 1 else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " and " + last
    }

    /// `1st`, `22nd`, `13th`.
    static func ordinal(_ number: Int) -> String {
        let ending =
            switch (number % 100, number % 10) {
            case (11...13, _): "th"
            case (_, 1): "st"
            case (_, 2): "nd"
            case (_, 3): "rd"
            default: "th"
            }
        return "\(number)\(ending)"
    }

    /// `first` to `fifth`, for the weekdays of a month.
    static func counted(_ number: Int) -> String {
        ["first", "second", "third", "fourth", "fifth"][min(max(number, 1), 5) - 1]
    }

    /// `1 minute`, `5 minutes`.
    static func count(_ number: Int, _ unit: String) -> String { number == 1 ? "\(number) \(unit)" : "\(number) \(unit)s" }

    /// The members of a set. Three or more in sequence are written `a to b`.
    static func members(_ numbers: [Int], _ name: (Int) -> String) -> [String] {
        var items: [String] = []
        var place = 0
        while place < numbers.count {
            var end = place
            while end + 1 < numbers.count, numbers[end + 1] == numbers[end] + 1 { end += 1 }
            if end - place >= 2 {
                items.append("\(name(numbers[place])) to \(name(numbers[end]))")
            } else {
                items += numbers[place...end].map(name)
            }
            place = end + 1
        }
        return items
    }

    static func clock(_ hour: Int, _ minute: Int) -> String { "\(twoDigits(hour)):\(twoDigits(minute))" }

    static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}

extension UInt64 {
    /// The numbers of the bits that are set, ascending.
    var members: [Int] { (0..<64).filter { self & (1 << UInt64($0)) != 0 } }
}
