/// The reasons why a measure has no figures.
enum Trouble: Error {
    /// Something that the measure needs is missing.
    case unavailable(String)
    /// The measured program failed or was too slow.
    case failed(String)
    /// A signal asked this program to end.
    case interrupted
}
