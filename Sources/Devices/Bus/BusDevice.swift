// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// What answers at a range of ports or of guest physical addresses.
///
/// A device is state only: it has no thread and no lock. Whoever owns it sees to it that one thread at a time calls it.
public protocol BusDevice: AnyObject {
    /// A read of `size` bytes (1, 2, 4 or 8), `offset` bytes into the range; bits above the size are ignored.
    func read(offset: UInt64, size: Int) -> UInt64
    /// A write of `size` bytes; bits above the size are zero.
    func write(offset: UInt64, size: Int, value: UInt64)
}

/// Where a device's interrupt goes: a level, which an edge-triggered input looks at when it rises.
public protocol InterruptLine: AnyObject {
    func set(_ level: Bool)
}

extension InterruptLine {
    /// An edge: for devices that don't keep their line up.
    public func pulse() {
        set(true)
        set(false)
    }
}

/// Where messages go that interrupt processors.
public protocol MessageSink: AnyObject {
    /// A message as a device would write it. SDM vol. 3, 11.11
    func send(address: UInt64, data: UInt32)
}
