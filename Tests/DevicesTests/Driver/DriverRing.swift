// SPDX-License-Identifier: MIT OR GPL-2.0-only
import GuestMemory

/// A buffer as a driver describes it.
struct Buffer {
    var gpa: UInt64
    var count: UInt32
    var isWritable: Bool
}

/// What came back.
struct Completion: Equatable {
    let identifier: UInt16
    let written: UInt32
}

/// A driver's side of a queue, written from the specification and not from the device's side.
protocol DriverRing: AnyObject {
    var areas: (descriptors: UInt64, driver: UInt64, device: UInt64) { get }
    /// Makes a chain available: its identifier.
    func add(_ buffers: [Buffer], indirect: Bool) throws -> UInt16
    func takeCompleted() throws -> [Completion]
    /// Whether the device is to be notified of what was added since this was last asked.
    func wantsNotification() throws -> Bool
    /// Interrupts off, on, or (event index) after so many more completions.
    func setInterrupts(_ wanted: InterruptWish) throws
}

enum InterruptWish {
    case never
    case always
    case after(UInt16)
}

enum DriverError: Error { case full }
