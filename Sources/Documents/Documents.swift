// Documents: reads TOML, JSON and script headers into one tree of values that know their positions.
//
// Contract:
//
// - It is pure: bytes in, a tree or one error out. No clock, no disk, no locale.
// - TOML is read by the TOML 1.1.0 specification (https://toml.io/en/v1.1.0) and JSON by RFC 8259, both without extensions. What is
//   written is TOML 1.0.0, so that every other program can read it.
//   Points that these leave open are decided here and nowhere else:
//     * keys are compared as code points, never normalised: "é" in two spellings is two keys;
//     * a JSON object with the same key twice is refused unless the caller asks for the last one;
//     * a JSON integer beyond 64 bits becomes a float; one beyond the range of a float is refused, in TOML too;
//     * fractions of a second are cut after the ninth digit; the second 60 is accepted as RFC 3339 allows it;
//     * `\r\n` inside a TOML multi-line string is read as `\n`: a script that somebody saved with CR LF is to run. `\r` written as
//       an escape stays;
//     * a byte order mark is skipped in TOML and refused in JSON; UTF-16 is refused by its name.
// - Any input, however damaged, gives a tree or a `DocumentError`. The error contains the line and column, what was expected,
//   what was found, and if possible what was meant. No input crashes, and `Limits` bound the cost: time and memory are linear in
//   the bytes, and deep nesting is refused long before it could exhaust a stack.
// - Written text can be read back: `TOML.parse(TOML.write(t))` and `JSON.parse(JSON.write(v))` give the same values, except for
//   values that the other language cannot express (null in TOML; dates, infinities and not-a-number in JSON).
//
// The parts: `Value`, `Table`, `DateTime` are the tree; `TOML`, `JSON`, `ScriptHeader` read and write it; `TOMLEditor`
// changes a person's file without touching the rest of it; `JSONWriter` streams records; `nearest` guesses misspelt names.
