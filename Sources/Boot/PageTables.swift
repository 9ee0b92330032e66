// SPDX-License-Identifier: MIT OR GPL-2.0-only

/// Page tables that map the first 4 GiB onto themselves, writable and executable, until the kernel has its own.
/// SDM vol. 3, 4.5 "4-level paging".
public enum IdentityMap {
    private static let present: UInt64 = 1 << 0
    private static let writable: UInt64 = 1 << 1
    private static let isLarge: UInt64 = 1 << 7
    private static let table = present | writable
    private static let page = present | writable | isLarge

    /// - Parameter gigabytePages: two pages of tables instead of six, on processors that have such pages
    ///   (CPUID.80000001H:EDX.26).
    public static func bytes(at address: UInt64, gigabytePages: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(6 * 4096)
        bytes.append(integer: (address + 0x1000) | table)
        bytes += [UInt8](repeating: 0, count: 511 * 8)
        for gigabyte in 0..<UInt64(4) {
            bytes.append(integer: gigabytePages ? gigabyte << 30 | page : (address + 0x2000 + gigabyte << 12) | table)
        }
        bytes += [UInt8](repeating: 0, count: 508 * 8)
        if !gigabytePages {
            for index in 0..<UInt64(4 * 512) { bytes.append(integer: index << 21 | page) }
        }
        return bytes
    }
}
