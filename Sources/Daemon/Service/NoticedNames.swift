/// Names in control/, tasks/ and schedules/ that have come, changed or gone, and have not been read since.
struct NoticedNames {
    var control: [String] = []
    /// Names without their endings.
    var tasks: Set<String> = []
    var schedules: Set<String> = []
    /// Each file may be another one.
    private(set) var isAllOfControl = false
    private(set) var areAllDefinitions = false

    var isEmpty: Bool { control.isEmpty && tasks.isEmpty && schedules.isEmpty && !isAllOfControl && !areAllDefinitions }

    mutating func addAll() {
        isAllOfControl = true
        areAllDefinitions = true
    }

    mutating func takeAll() -> NoticedNames {
        defer { self = NoticedNames() }
        return self
    }
}
