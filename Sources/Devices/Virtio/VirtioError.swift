// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import GuestMemory

/// What a driver did against the rules: the device stops, and asks for a reset (DEVICE_NEEDS_RESET).
public enum VirtioError: Error, Equatable, CustomStringConvertible {
    /// A ring, a table or a buffer that is not in guest memory.
    case memory(GuestMemoryError)
    /// A queue's size is not one that its kind of ring can have, or more than the device offers.
    case queueSize(queue: Int, size: UInt32)
    /// An area of a queue that is not where its kind may be.
    case queueAlignment(queue: Int, address: UInt64)
    /// More buffers are available than the ring can hold.
    case tooManyAvailable(UInt16)
    /// A descriptor's number that is not in the table.
    case badIndex(UInt32)
    /// A chain longer than the queue, or a loop.
    case chainTooLong
    /// A chain of more bytes than 32 bits count.
    case chainTooLarge
    /// A buffer to read behind one to write.
    case readableAfterWritable
    /// An indirect table within another one, with a next descriptor, not offered, or of a size that is none.
    case badIndirect
    /// A request without the parts that every request has.
    case badRequest(String)
    /// A status that leaves out what was set before, or comes too early.
    case badStatus(from: UInt8, to: UInt8)

    public var description: String {
        switch self {
        case .memory(let error): "\(error)"
        case .queueSize(let queue, let size):
            "queue \(queue): a ring of \(size) descriptors is none that this device can use"
        case .queueAlignment(let queue, let address):
            "queue \(queue): the area at 0x\(String(address, radix: 16)) is misaligned"
        case .tooManyAvailable(let count): "\(count) buffers are said to be available, more than the ring can hold"
        case .badIndex(let index): "descriptor \(index) is not in its table"
        case .chainTooLong: "a chain of descriptors is longer than its queue, or loops"
        case .chainTooLarge: "a chain of descriptors has more than 4 GiB"
        case .readableAfterWritable: "a chain has a buffer to read behind one to write"
        case .badIndirect: "an indirect descriptor that may not be one"
        case .badRequest(let why): "a request \(why)"
        case .badStatus(let from, let to): "status \(to) after \(from)"
        }
    }
}

/// Runs what reaches guest memory on behalf of a ring.
func reaching<Result>(_ body: () throws(GuestMemoryError) -> Result) throws(VirtioError) -> Result {
    do { return try body() } catch { throw .memory(error) }
}
