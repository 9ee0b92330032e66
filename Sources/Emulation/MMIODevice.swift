// SPDX-License-Identifier: MIT OR GPL-2.0-only
public import KVM

/// Whatever answers a guest's loads and stores where there is no memory.
public protocol MMIODevice: AnyObject {
    /// The bytes of a load, exactly `count` (1, 2, 4 or 8), in the order of their addresses.
    func load(_ address: GuestAddress, count: Int) -> [UInt8]
    func store(_ address: GuestAddress, _ bytes: [UInt8])
}
