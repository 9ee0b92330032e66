// SPDX-License-Identifier: MIT OR GPL-2.0-only
import TestMachine

/// `4 KiB`, `512 GiB`, `1.5 MiB`: bytes in the largest unit of which there is at least one.
func bytes(_ count: UInt64) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    var unit = 0
    while unit + 1 < units.count, count >> (10 * UInt64(unit + 1)) > 0 { unit += 1 }
    let scale = UInt64(1) << (10 * UInt64(unit))
    let tenths = (count % scale) * 10 / scale
    return "\(grouped(count / scale))\(tenths == 0 ? "" : ".\(tenths)") \(units[unit])"
}

/// `0x0-0xfff`, of the addresses from `begin` to before `end`.
func range(_ begin: UInt64, _ end: UInt64) -> String { "\(hex(begin))-\(hex(end - 1))" }

/// `7 pages`, `1 page`
func counted(_ count: some BinaryInteger, _ noun: String) -> String {
    "\(grouped(UInt64(count))) \(noun)\(count == 1 ? "" : "s")"
}
