import Documents
import Store

extension Output {
    /// Writes one JSON object, whose members `body` writes, as a line.
    func jsonObject<E: Error>(_ body: (inout JSONWriter) throws(E) -> Void) throws(E) {
        var writer = JSONWriter(reserving: 512)
        try writer.object(body)
        line(String(decoding: writer.bytes, as: UTF8.self))
    }

    /// Writes one JSON array of objects as a line: `body` writes the members of each.
    func jsonArray<Element>(_ elements: some Sequence<Element>, _ body: (inout JSONWriter, Element) -> Void) {
        var writer = JSONWriter(reserving: 1024)
        writer.objects(elements, body)
        line(String(decoding: writer.bytes, as: UTF8.self))
    }
}

extension JSONWriter {
    /// An object, whose members `body` writes.
    mutating func object<E: Error>(_ body: (inout JSONWriter) throws(E) -> Void) throws(E) {
        beginObject()
        try body(&self)
        endObject()
    }

    /// An array of objects: `body` writes the members of each.
    mutating func objects<Element>(_ elements: some Sequence<Element>, _ body: (inout JSONWriter, Element) -> Void) {
        beginArray()
        for element in elements { object { body(&$0, element) } }
        endArray()
    }

    /// A member that is an object, whose members `body` writes.
    mutating func member(_ name: String, object body: (inout JSONWriter) -> Void) {
        key(name)
        object(body)
    }

    /// A member that is an array of objects: `body` writes the members of each.
    mutating func member<Element>(_ name: String, objects elements: some Sequence<Element>, _ body: (inout JSONWriter, Element) -> Void) {
        key(name)
        objects(elements, body)
    }

    /// A member that is an array of texts.
    mutating func member(_ name: String, texts: some Sequence<String>) {
        key(name)
        beginArray()
        for text in texts { string(text) }
        endArray()
    }
}
