// Integers and floats (TOML 1.1, "Integer" and "Float").

extension TOMLParser {
    /// Reads a value that begins with a digit or a sign.
    mutating func numberOrDateTime() throws(DocumentError) -> Value.Kind {
        let start = cursor.offset
        if looksLikeDate || looksLikeTime { return .dateTime(try dateTime()) }

        // Take the whole token, so that an error can point at it and quote it.
        while TOMLParser.isBareKey(cursor.byte) || cursor.byte == Byte.dot || cursor.byte == Byte.plus { cursor.offset += 1 }
        let token = UnsafeBufferPointer(rebasing: cursor.bytes[start..<cursor.offset])
        var sign: Int64 = 1
        var place = 0
        if token[0] == Byte.minus || token[0] == Byte.plus {
            sign = token[0] == Byte.minus ? -1 : 1
            place = 1
        }
        guard place < token.count else { throw notAValue(at: start) }

        if token[place].isLetter {
            switch cursor.text(start + place, cursor.offset) {
            case "inf": return .number(Number(sign < 0 ? -.infinity : .infinity))
            case "nan": return .number(Number(.nan))
            default: throw notAValue(at: start)
            }
        }
        if token[place] == Byte.zero, place + 1 < token.count, let radix = radix(of: token[place + 1]) {
            guard place == 0 else {
                throw cursor.failure(at: start, "a hexadecimal, octal or binary integer has no sign")
            }
            return .integer(try prefixedInteger(token, radix: radix, at: start))
        }
        guard let digits = scanDigits(token, from: place) else { throw notAValue(at: start) }
        if token[place] == Byte.zero && digits > place + 1 {
            throw cursor.failure(
                at: start, "a number does not begin with a zero, found '\(cursor.text(start, cursor.offset))'",
                hint: "drop the zero; octal is written 0o17, and text needs quotes: \"\(cursor.text(start, cursor.offset))\"")
        }
        if digits == token.count {
            // TOML requires that no integer is altered. An integer that does not fit 64 bits keeps its text.
            return decimalInteger(token, from: place, sign: sign).map { .integer($0) } ?? .number(number(token))
        }
        return .number(try float(token, from: digits, at: start))
    }

    private func radix(of letter: UInt8) -> Int64? {
        switch letter {
        case UInt8(ascii: "x"): 16
        case UInt8(ascii: "o"): 8
        case UInt8(ascii: "b"): 2
        default: nil
        }
    }

    /// The end of a run of digits with single underscores between them. Nil when there is no digit.
    private func scanDigits(_ token: UnsafeBufferPointer<UInt8>, from start: Int) -> Int? {
        var place = start
        while place < token.count {
            if token[place] == Byte.underscore {
                guard place > start, token[place - 1].isDigit, place + 1 < token.count, token[place + 1].isDigit else {
                    return nil
                }
            } else if !token[place].isDigit {
                break
            }
            place += 1
        }
        return place > start ? place : nil
    }

    /// Returns nil when the number does not fit.
    private func decimalInteger(_ token: UnsafeBufferPointer<UInt8>, from start: Int, sign: Int64) -> Int64? {
        var value: Int64 = 0
        for place in start..<token.count where token[place] != Byte.underscore {
            let (tenfold, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (next, past) = tenfold.addingReportingOverflow(sign * Int64(token[place] - Byte.zero))
            if tooLarge || past { return nil }
            value = next
        }
        return value
    }

    private func prefixedInteger(
        _ token: UnsafeBufferPointer<UInt8>, radix: Int64, at offset: Int
    ) throws(DocumentError) -> Int64 {
        var value: Int64 = 0
        for place in 2..<token.count {
            if token[place] == Byte.underscore {
                guard place > 2, token[place - 1] != Byte.underscore, place + 1 < token.count else {
                    throw notAValue(at: offset)
                }
                continue
            }
            guard let digit = token[place].hexValue, Int64(digit) < radix else { throw notAValue(at: offset) }
            // Adding the digit cannot overflow: `shifted` and 2^63 are multiples of the radix, so there is room for one more
            // digit.
            let (shifted, tooLarge) = value.multipliedReportingOverflow(by: radix)
            if tooLarge { throw outOfRange(at: offset) }
            value = shifted + Int64(digit)
        }
        guard token.count > 2 else { throw notAValue(at: offset) }
        return value
    }

    private func outOfRange(at offset: Int) -> DocumentError {
        cursor.failure(at: offset, "the integer '\(cursor.text(offset, cursor.offset))' does not fit 64 bits")
    }

    /// The token in the form that JSON uses too.
    private func number(_ token: UnsafeBufferPointer<UInt8>) -> Number {
        Number(text: String(decoding: token.drop { $0 == Byte.plus }.filter { $0 != Byte.underscore }, as: UTF8.self))
    }

    /// Checks the fraction and exponent that begin at `start` of the token.
    private func float(
        _ token: UnsafeBufferPointer<UInt8>, from start: Int, at offset: Int
    ) throws(DocumentError) -> Number {
        var place = start
        if token[place] == Byte.dot {
            guard let end = scanDigits(token, from: place + 1) else { throw notAValue(at: offset) }
            place = end
        }
        if place < token.count, token[place] | 0x20 == UInt8(ascii: "e") {
            place += 1
            if place < token.count, token[place] == Byte.plus || token[place] == Byte.minus { place += 1 }
            guard let end = scanDigits(token, from: place) else { throw notAValue(at: offset) }
            place = end
        }
        guard place == token.count else { throw notAValue(at: offset) }
        return number(token)
    }
}
