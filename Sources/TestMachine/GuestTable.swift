// SPDX-License-Identifier: MIT OR GPL-2.0-only
import FoundationEssentials
import KVM

/// The table of guests, guests.json, which lies beside their programs.
public struct GuestTable: Sendable {
    public let guests: [Guest]

    public subscript(name: String) -> Guest? { guests.first { $0.name == name } }

    /// Reads the table.
    ///
    /// - Parameter path: the name that errors carry.
    public init(json: [UInt8], path: String) throws(MachineError) {
        do {
            guests = try JSONDecoder().decode(TableEntry.self, from: Data(json)).guests.map { try $0.guest() }
        } catch let error as MachineError {
            throw .settings("\(path): \(error)")
        } catch let error as DecodingError {
            throw .settings("\(path): \(Self.describe(error))")
        } catch {
            throw .settings("\(path): \(error)")
        }
        var seen: Set<String> = []
        for guest in guests where !seen.insert(guest.name).inserted {
            throw .settings("\(path): two guests are named \(guest.name)")
        }
    }

    /// Where in the file, and what is wrong with it.
    private static func describe(_ error: DecodingError) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.map { key in key.intValue.map { "[\($0)]" } ?? key.stringValue }.joined(separator: ".")
        }
        switch error {
        case .dataCorrupted(let context):
            return context.codingPath.isEmpty
                ? "is not JSON: \(context.underlyingError.map { "\($0)" } ?? context.debugDescription)"
                : "\(place(context.codingPath)): \(context.debugDescription)"
        case .keyNotFound(let key, let context):
            return "\(place(context.codingPath)): \"\(key.stringValue)\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            return "\(place(context.codingPath)): \(context.debugDescription)"
        @unknown default:
            return "\(error)"
        }
    }
}
