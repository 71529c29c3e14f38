/// The word that was probably meant, for messages about an unknown name.
///
/// The distance counts insertions, deletions, replacements and swaps of neighbours (Damerau and Levenshtein, in the restricted
/// form where no part is edited twice). Letter case is ignored. Returns the first of the nearest words. Returns nil when its
/// distance is more than a third of `word`'s length, or more than 1 for a short word.
public func nearest(to word: String, among words: some Sequence<String>) -> String? {
    let wanted = Array(word.lowercased().unicodeScalars)
    var best: String?
    var bestDistance = max(1, wanted.count / 3) + 1
    for candidate in words {
        let scalars = Array(candidate.lowercased().unicodeScalars)
        guard abs(scalars.count - wanted.count) < bestDistance else { continue }
        let distance = editDistance(wanted, scalars)
        if distance < bestDistance {
            best = candidate
            bestDistance = distance
        }
    }
    return best
}

/// Costs the product of the two lengths.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...b.count)
    for i in a.indices {
        var current = [i + 1]
        current.reserveCapacity(b.count + 1)
        for j in b.indices {
            var distance = min(previous[j + 1] + 1, current[j] + 1, previous[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { distance = min(distance, beforePrevious[j - 1] + 1) }
            current.append(distance)
        }
        beforePrevious = previous
        previous = current
    }
    return previous[b.count]
}
