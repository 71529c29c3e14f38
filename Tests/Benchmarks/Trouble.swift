/// Why a measure has no figures.
enum Trouble: Error {
    /// What it needs is not here.
    case unavailable(String)
    /// It did not do what it should, or not in time.
    case failed(String)
    /// Somebody wants this program to end.
    case interrupted
}
