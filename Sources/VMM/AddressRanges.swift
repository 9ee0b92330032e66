// SPDX-License-Identifier: MIT OR GPL-2.0-only
import Devices

/// Which device answers at which addresses: of ports, or of guest physical memory.
struct AddressRanges {
    private struct Range {
        let first: UInt64
        let count: UInt64
        let device: any BusDevice
    }

    private var ranges: [Range] = []

    /// - Precondition: no device has one of these addresses yet: machines are wired by this program.
    mutating func add(_ device: any BusDevice, at first: UInt64, count: UInt64) {
        precondition(
            !ranges.contains { first < $0.first + $0.count && $0.first < first + count }, "two devices at \(first)")
        ranges.append(Range(first: first, count: count, device: device))
        ranges.sort { $0.first < $1.first }
    }

    /// A read; all ones, as of a bus without a device, where nobody answers.
    func read(_ address: UInt64, size: Int) -> UInt64 {
        guard let range = find(address, size) else { return size < 8 ? (1 << (8 * UInt64(size))) - 1 : .max }
        return range.device.read(offset: address - range.first, size: size)
    }

    /// A write; it is lost where nobody answers.
    func write(_ address: UInt64, size: Int, value: UInt64) {
        guard let range = find(address, size) else { return }
        range.device.write(offset: address - range.first, size: size, value: value)
    }

    /// The range that has the first byte: an access across the end of one is the device's, which answers for its registers only.
    private func find(_ address: UInt64, _ size: Int) -> Range? {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].first <= address { low = middle + 1 } else { high = middle }
        }
        guard low > 0, address - ranges[low - 1].first < ranges[low - 1].count else { return nil }
        return ranges[low - 1]
    }
}
